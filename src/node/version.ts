/** Which versions of Node this runs on, and which have known holes (docs/operations.md). */

/** The first with all that is used. */
const OLDEST = '22.19.0';
/** Per major version, the first without the holes in HTTP that became known on 2026-07-29. */
const WITHOUT_KNOWN_HOLES: Readonly<Record<number, string>> = { 22: '22.23.2', 24: '24.18.1', 26: '26.5.1' };

/** @param version like `24.18.1` */
export function isTooOld(version: string): boolean {
  return isBelow(version, OLDEST);
}

/** What to say when {@link isTooOld}. */
export function tooOldMessage(version: string): string {
  return `chroma-sync-gateway needs Node ${OLDEST} or newer, this is ${version}`;
}

/** One line, or none. Of a major version that is not listed nothing is known but its age. */
export function nodeWarnings(version: string): string[] {
  const [major = 0] = partsOf(version);
  const newest = Math.max(...Object.keys(WITHOUT_KNOWN_HOLES).map(Number));
  const fixed = WITHOUT_KNOWN_HOLES[major];
  if (fixed === undefined ? major > newest : !isBelow(version, fixed)) return [];
  return [
    `Node ${version} has known holes in HTTP: use ${Object.values(WITHOUT_KNOWN_HOLES).join(', ')} or newer`,
  ];
}

function isBelow(version: string, floor: string): boolean {
  const [a, b] = [partsOf(version), partsOf(floor)];
  for (let i = 0; i < b.length; i++) if (a[i] !== b[i]) return (a[i] ?? 0) < b[i]!;
  return false;
}

function partsOf(version: string): number[] {
  return version.split('-', 1)[0]!.split('.').map(Number);
}
