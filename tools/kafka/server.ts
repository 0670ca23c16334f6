/** A server that a test may hurt. Its address stays the same for its life. */
export interface Server {
  /** Of the server's process, when it is one of this machine's and up. */
  readonly pid: number | undefined
  /** Resolves when it has ended. SIGTERM: it says goodbye to the others first. */
  kill(signal: 'SIGKILL' | 'SIGTERM'): Promise<void>
  /** Freezes it: connections stay open, nothing is answered. */
  pause(): Promise<void>
  resume(): Promise<void>
  /** Starts it again with its data, after asking it to end when it is up. Resolves when it serves. */
  restart(): Promise<void>
}

/** Brokers of Apache Kafka, each its own controller too. */
export interface KafkaCluster {
  /** `host:port` of each broker. */
  readonly bootstrap: readonly string[]
  /** What clients need when the cluster was started with `sasl`. */
  readonly credentials: { readonly username: string; readonly password: string } | undefined
  /** The certificate to trust when the cluster was started with `tls`, in PEM. */
  readonly ca: string | undefined
  /** @param nodeId from 1, as the metadata calls it */
  broker(nodeId: number): Server
  /** Ends all brokers and deletes their data. */
  stop(): Promise<void>
}

/** A schema registry that speaks Confluent's protocol. */
export interface SchemaRegistry extends Server {
  /** Address with path, without a slash at its end. */
  readonly url: string
  stop(): Promise<void>
}
