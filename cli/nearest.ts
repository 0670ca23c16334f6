/** The texts in order of likeness to what was typed, the most similar first; equally similar ones keep their order. */
export function nearestFirst(typed: string, texts: readonly string[]): readonly string[] {
  return texts
    .map((text) => ({ text, edits: editsBetween(typed, text) }))
    .toSorted((a, b) => a.edits - b.edits)
    .map(({ text }) => text)
}

/** What was probably meant; `undefined`: nothing is near enough, or it is typed correctly. */
export function probablyMeant(typed: string, texts: readonly string[]): string | undefined {
  const [nearest] = nearestFirst(typed, texts)
  if (nearest === undefined) return undefined
  const edits = editsBetween(typed, nearest)
  return edits > 0 && edits <= Math.max(typed.length, nearest.length) / LETTERS_TO_AN_EDIT ? nearest : undefined
}

/** One letter in three may be wrong. */
const LETTERS_TO_AN_EDIT = 3

/** How many characters have to be put in, taken out or changed to make one text the other (Levenshtein). */
function editsBetween(from: string, to: string): number {
  const wanted = [...to]
  let row = Array.from({ length: wanted.length + 1 }, (_, i) => i)
  for (const [i, character] of [...from].entries()) {
    const next = [i + 1]
    for (const [j, other] of wanted.entries())
      next.push(Math.min(row[j]! + (character === other ? 0 : 1), row[j + 1]! + 1, next[j]! + 1))
    row = next
  }
  return row.at(-1)!
}
