import type { TopicCodec } from '#lib/codec/avro.ts'
import type { EventLog } from '#lib/eventlog/port.ts'
import type { CommandFact } from '#lib/facts.ts'
import type { ReadFact } from '#lib/jobs/read-facts.ts'
import { OwnerlessPartition } from '#lib/ownerless-partition.ts'
import { Standing } from './standing.ts'

/** `obs.command.v1` as those see it who give commands, and those who heed them. */
export class CommandTopic {
  readonly #codec: TopicCodec<CommandFact>
  readonly #standing = new Standing()
  readonly #facts: OwnerlessPartition<CommandFact>

  constructor(log: EventLog, codec: TopicCodec<CommandFact>) {
    this.#codec = codec
    const take = ({ key, value }: ReadFact<CommandFact>): unknown => this.#standing.take(key, value)
    this.#facts = new OwnerlessPartition(log, { codec, partition: 0, take })
  }

  /**
   * Records a command. Not knowing whether it landed, it says the same again: of two records with one id the first counts.
   *
   * @param commandId of `timeOrderedId`; the same id again says nothing new
   * @throws OBS_RECORD_INVALID when the fact does not fit its schema · OBS_LOG_OUTCOME_UNKNOWN when that stays so · what
   *   `EventLog.append` throws
   */
  async append(commandId: string, fact: CommandFact): Promise<void> {
    await this.#facts.append([{ key: Buffer.from(commandId), value: this.#codec.encode(fact) }])
  }

  /**
   * What stands, by all commands that the log holds now. It goes on growing with later calls. Records that are bad in
   * themselves are left out.
   *
   * @throws what `EventLog.read` and the registry throw; asking again goes on where it ended
   */
  async standing(): Promise<Standing> {
    await this.#facts.readOn()
    return this.#standing
  }

  /** Ends reads that wait, as for a schema that nobody knows yet, and refuses later ones with OBS_LOG_UNAVAILABLE. */
  stop(): void {
    this.#facts.stop('the commands are')
  }
}
