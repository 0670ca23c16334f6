/** What the checker has found; none of these may ever be. */
export interface Fault {
  readonly kind: /** Was in the log, and is not any more, or is something else. */
    | 'record_lost'
    /** A row of the csv file is not a sample. */
    | 'row_lost'
    /** A reader of a derived topic sees a fact twice. */
    | 'fact_doubled'
    /** A fact that a reader of a derived topic never sees, since a newer cause came before it. */
    | 'fact_hidden'
    /** One key was said with different bytes. */
    | 'fact_changed'
    /** A fact is not what follows from the samples, or there is none though there should be. */
    | 'fact_different'
    /** A window is not what can be counted from the samples by simpler means. */
    | 'window_wrong'
    /** An artefact is not what follows from the log. */
    | 'replay_different'
    /** A transition that nobody has decided about, or a message that has not arrived. */
    | 'message_lost'
    /** A receiver got what nobody has decided, or one id with two bodies. */
    | 'message_changed'
    /** Messages about one alert arrived in another order. */
    | 'message_disordered'
    /** The pager shows something else than what it was told of. */
    | 'incident_wrong'
    /** A process ended though nobody ended it, or did not end well. */
    | 'process_ended'
  readonly about: string
}
