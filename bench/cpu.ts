/**
 * Processor time by the kernel's account (Linux): what a request costs even where neighbours take turns on the
 * same core, which throughput cannot tell.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';

/** Linux's USER_HZ, 100 on every common build. */
const TICK_MS = 10;

/** Of the process and its children so far, ms; NaN where there is no `/proc`. */
export function cpuMs(pid: number | undefined): number {
  try {
    // Fields from the third on: the second is a name in brackets that may hold blanks. 14 and 15 are our times.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    const own = (Number(fields[11]) + Number(fields[12])) * TICK_MS;
    return childrenOf(pid).reduce((sum, child) => sum + cpuMs(child), own);
  } catch {
    return Number.NaN;
  }
}

/** The same to the nanosecond where the kernel keeps such an account, of threads that are still there; ms. */
export function preciseCpuMs(pid: number | undefined): number {
  try {
    const threads = readdirSync(`/proc/${pid}/task`);
    const own = threads.reduce((sum, thread) => sum + Number(read(`${pid}/task/${thread}/schedstat`)[0]), 0);
    return childrenOf(pid).reduce((sum, child) => sum + preciseCpuMs(child), own / 1e6);
  } catch {
    return cpuMs(pid);
  }
}

/** Memory that the process and its children have in RAM, bytes; what they share with each other counts once each. */
export function rssBytes(pid: number | undefined): number {
  const pages = Number(read(`${pid}/statm`)[1]);
  return childrenOf(pid).reduce((sum, child) => sum + rssBytes(child), pages * 4_096);
}

function childrenOf(pid: number | undefined): number[] {
  return read(`${pid}/task/${pid}/children`).filter(Boolean).map(Number);
}

function read(path: string): string[] {
  return readFileSync(`/proc/${path}`, 'utf8').split(' ');
}

/** The share of all cores that is busy, watched for a second, while the bench itself does nothing. */
export async function othersShare(): Promise<number> {
  const times = () => cpus().map((core) => core.times);
  const sum = (key: 'idle' | 'all') =>
    times().reduce(
      (total, { user, nice, sys, idle, irq }) => total + idle + (key === 'all' ? user + nice + sys + irq : 0),
      0,
    );
  const [idle, all] = [sum('idle'), sum('all')];
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  return 1 - (sum('idle') - idle) / (sum('all') - all);
}
