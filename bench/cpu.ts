/**
 * Processor time by the kernel's account (Linux): what a request costs even where neighbours take turns on the
 * same core, which throughput cannot tell.
 */
import { readFileSync } from 'node:fs';

/** Linux's USER_HZ, 100 on every common build. */
const TICK_MS = 10;

/** Of the process and its children so far, ms; NaN where there is no `/proc`. */
export function cpuMs(pid: number | undefined): number {
  try {
    // Fields from the third on: the second is a name in brackets that may hold blanks. 14 and 15 are our times.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    const own = (Number(fields[11]) + Number(fields[12])) * TICK_MS;
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
    return children.reduce((sum, child) => sum + cpuMs(Number(child)), own);
  } catch {
    return Number.NaN;
  }
}
