import type { TopicCodec } from '#lib/codec/avro.ts'
import { isObstreamError, ObstreamError } from '#lib/errors.ts'
import type { EventLog, Offset } from '#lib/eventlog/port.ts'
import type { CommandFact } from '#lib/facts.ts'
import { readFacts } from '#lib/jobs/read-facts.ts'
import { topics } from '#lib/topics.ts'
import { Standing } from './standing.ts'

const APPEND_ATTEMPTS = 3

/** `obs.command.v1` as those see it who give commands, and those who heed them. */
export class CommandTopic {
  readonly #log: EventLog
  readonly #codec: TopicCodec<CommandFact>
  readonly #standing = new Standing()
  #next: Offset = 0
  #reading: Promise<void> = Promise.resolve()
  /** The read that begins when the one that runs has ended. */
  #asked: Promise<void> | null = null
  readonly #stopping = new AbortController()

  constructor(log: EventLog, codec: TopicCodec<CommandFact>) {
    this.#log = log
    this.#codec = codec
  }

  /**
   * Records a command. Not knowing whether it landed, it says the same again: of two records with one id the first counts.
   *
   * @param commandId of `timeOrderedId`; the same id again says nothing new
   * @throws OBS_RECORD_INVALID when the fact does not fit its schema · OBS_LOG_OUTCOME_UNKNOWN when that stays so · what
   *   `EventLog.append` throws
   */
  async append(commandId: string, fact: CommandFact): Promise<void> {
    const record = { key: Buffer.from(commandId), value: this.#codec.encode(fact) }
    for (let attempt = 1; ; attempt++)
      try {
        await this.#log.append(topics.command.name, 0, [record])
        return
      } catch (error) {
        if (!isObstreamError(error, 'OBS_LOG_OUTCOME_UNKNOWN') || attempt === APPEND_ATTEMPTS) throw error
      }
  }

  /**
   * What stands, by all commands that the log holds now. It goes on growing with later calls. Records that are bad in
   * themselves are left out.
   *
   * @throws what `EventLog.read` and the registry throw; asking again goes on where it ended
   */
  async standing(): Promise<Standing> {
    await this.#readOn()
    return this.#standing
  }

  /**
   * What stands, now and again after every command that comes. Endless until `signal` aborts or `stop` is called.
   *
   * @throws what `standing` throws
   */
  async *follow(signal: AbortSignal): AsyncGenerator<Standing> {
    yield await this.standing()
    const ended = AbortSignal.any([signal, this.#stopping.signal])
    for await (const batch of this.#log.follow(topics.command.name, 0, this.#next, ended))
      if (batch.lastOffset >= this.#next) yield await this.standing()
  }

  /** Ends reads that wait, as for a schema that nobody knows yet, and refuses later ones with OBS_LOG_UNAVAILABLE. */
  stop(): void {
    this.#stopping.abort(new ObstreamError('OBS_LOG_UNAVAILABLE', 'the commands are read no more: their reader stops'))
  }

  /**
   * One reader at a time: two would fold the same records twice, or in another order. Who asks while one runs shares the
   * next.
   */
  #readOn(): Promise<void> {
    this.#asked ??= this.#reading
      .catch(() => {})
      .then(() => {
        this.#asked = null
        return this.#read()
      })
    this.#reading = this.#asked
    return this.#asked
  }

  async #read(): Promise<void> {
    const { earliest, end } = (await this.#log.offsets(topics.command.name))[0]!
    const stretch = { partition: 0, from: Math.max(this.#next, earliest), to: end }
    for await (const { key, value, offset } of readFacts(this.#log, this.#codec, stretch, this.#stopping.signal)) {
      this.#standing.take(key, value)
      this.#next = offset + 1
    }
    this.#next = Math.max(end, stretch.from)
  }
}
