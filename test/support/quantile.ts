/** Of some measurements, the one below which this part of them lies; `part` is 0 … 1. */
export function quantileOf(values: readonly number[], part: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) * part)]!;
}
