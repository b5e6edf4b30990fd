/**
 * Do several kinds of request take equally long? Friedman's rank test over blocks: in each block every kind is
 * timed once, in a random order. If the kinds are alike, all orders of a block's times are equally likely,
 * whatever else the machine does meanwhile: noise that lasts longer than a block cannot raise a false alarm.
 */

export interface Verdict {
  /** Friedman's statistic: chi-squared with (kinds - 1) degrees of freedom if the kinds are alike. */
  readonly statistic: number;
  /** Median time of each kind, ms. */
  readonly medians: readonly number[];
}

/** Times each kind once in each block. @param kinds resolve when their answer has come */
export async function timeInBlocks(
  kinds: readonly (() => Promise<unknown>)[],
  blocks: number,
  random: () => number = Math.random,
): Promise<Verdict> {
  const times: number[][] = [];
  for (let block = 0; block < blocks; block++) {
    const row = new Array<number>(kinds.length).fill(0);
    for (const kind of shuffled(kinds.length, random)) {
      const startedAt = performance.now();
      await kinds[kind]!();
      row[kind] = performance.now() - startedAt;
    }
    times.push(row);
  }
  return judge(times);
}

/** @param times one row per block, one column per kind */
export function judge(times: readonly (readonly number[])[]): Verdict {
  const blocks = times.length;
  const kinds = times[0]?.length ?? 0;
  const ranks = new Array<number>(kinds).fill(0);
  for (const row of times) {
    row.forEach((time, kind) => {
      const below = row.filter((other) => other < time).length;
      const equal = row.filter((other) => other === time).length;
      ranks[kind]! += below + (equal + 1) / 2;
    });
  }
  const mean = (kinds + 1) / 2;
  const spread = ranks.reduce((sum, rank) => sum + (rank / blocks - mean) ** 2, 0);
  return {
    statistic: ((12 * blocks) / (kinds * (kinds + 1))) * spread,
    medians: Array.from({ length: kinds }, (_, kind) => median(times.map((row) => row[kind]!))),
  };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** Fisher and Yates. */
function shuffled(count: number, random: () => number): number[] {
  const order = Array.from({ length: count }, (_, index) => index);
  for (let at = count - 1; at > 0; at--) {
    const other = Math.floor(random() * (at + 1));
    [order[at], order[other]] = [order[other]!, order[at]!];
  }
  return order;
}
