/** What is said of a handful of noisy figures. Pure. */

/** @param q 0 … 1; nearest rank, no interpolation. NaN of nothing. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? Number.NaN;
}

/** The middle value; of an even count, the mean of the middle two. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** Round by round, so that what slows both sides of a round down does not show. */
export function ratios(values: readonly number[], reference: readonly number[]): number[] {
  return values.flatMap((value, round) => {
    const other = reference[round];
    return other === undefined ? [] : [value / other];
  });
}

/** How a figure is written: `75,120`, `20.4`, `0.087`. */
export function number(value: number): string {
  if (!Number.isFinite(value)) return '–';
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : Math.abs(value) >= 1 ? 2 : 3;
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** The median and, with more than one value, the smallest and largest: `0.91 (0.88..0.93)`. */
export function spread(values: readonly number[], write: (value: number) => string = number): string {
  if (values.length === 0) return '–';
  if (values.length === 1) return write(values[0] ?? Number.NaN);
  return `${write(median(values))} (${write(Math.min(...values))}..${write(Math.max(...values))})`;
}

/** Two decimals, as ratios are written. */
export function ratio(value: number): string {
  return Number.isFinite(value) ? value.toFixed(2) : '–';
}
