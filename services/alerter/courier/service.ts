import type { Alert } from '#lib/facts.ts'
import { defineService, type FoldInput } from '#lib/runtime/define-service.ts'
import { topics } from '#lib/topics.ts'
import { type EpisodeBook, emptyBook, oldestNeeded, take } from './episode-book.ts'

/** The courier as a fold: it reads transitions and says nothing. Its state is what the edge, which tells people, must know. */
export const courier = defineService<EpisodeBook, FoldInput<Alert>>({
  name: 'courier',
  consumes: topics.alert,
  produces: [],
  initial: emptyBook,
  step(book, input) {
    take(book, input)
    return []
  },
  mark: oldestNeeded,
  reached: (book) => book.nowAt,
})
