/** Randomness that can be played again: a generator from a seed, and the choices that the fuzz makes with it. */

export interface Random {
  /** A whole number from 0 to below `bound`. */
  int(bound: number): number;
  chance(probability: number): boolean;
  pick<T>(values: readonly T[]): T;
  /** One of several makers, by weight. */
  weighted<T>(choices: readonly (readonly [weight: number, make: () => T])[]): T;
  /** Up to `most` characters of the alphabet. */
  text(alphabet: string, most: number): string;
  uuid(): string;
}

/** Any latin1 character: what a header can hold, and what it cannot. */
export const LATIN1 = String.fromCharCode(...Array.from({ length: 256 }, (_, code) => code));
export const PRINTABLE = LATIN1.slice(0x20, 0x7f);

/** mulberry32. @param seed any 32-bit number */
export function createRandom(seed: number): Random {
  let state = seed | 0;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  const int = (bound: number) => Math.floor(next() * bound);
  const text = (alphabet: string, most: number) =>
    Array.from({ length: int(most + 1) }, () => alphabet[int(alphabet.length)]).join('');
  const hex = (length: number) => Array.from({ length }, () => int(16).toString(16)).join('');
  return {
    int,
    chance: (probability) => next() < probability,
    pick: (values) => values[int(values.length)]!,
    weighted(choices) {
      let left = next() * choices.reduce((sum, [weight]) => sum + weight, 0);
      for (const [weight, make] of choices) {
        left -= weight;
        if (left < 0) return make();
      }
      return choices.at(-1)![1]();
    },
    text,
    uuid: () => [8, 4, 4, 4, 12].map(hex).join('-'),
  };
}
