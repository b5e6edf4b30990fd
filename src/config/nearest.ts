/** Which name was probably meant, for the message about a typo. Pure. */

/**
 * The candidate that shares the most words with `word` (words are what `_` separates); of those the one with the
 * least edit distance (Levenshtein), of those the first. Edit distance alone would suggest any short name for an
 * abbreviated one. `undefined` only without candidates.
 */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const ranked = candidates.map((candidate) => ({
    candidate,
    shared: sharedWords(word, candidate),
    distance: distanceOf(word, candidate),
  }));
  return ranked.sort((a, b) => b.shared - a.shared || a.distance - b.distance)[0]?.candidate;
}

function sharedWords(a: string, b: string): number {
  const words = b.split('_');
  return a.split('_').filter((part) => words.includes(part)).length;
}

/** How many characters must be put in, taken out or replaced (Levenshtein). */
export function distanceOf(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substitution, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
