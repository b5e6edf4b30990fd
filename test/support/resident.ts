/** How much memory a gateway's process holds, seen from outside, and waiting until something stands still. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import type { Gateway } from './gateway.ts';

/** Resident memory of the process, bytes. */
export function residentBytes({ process: { pid } }: Gateway): number {
  const status = `/proc/${pid}/status`;
  const kilobytes = existsSync(status)
    ? /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(status, 'utf8'))?.[1]
    : execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' });
  return Number(kilobytes) * 1_024;
}

/** Resolves when the value has not changed for `quietMs`. */
export async function untilStill(value: () => unknown, quietMs = 300): Promise<void> {
  let last = value();
  for (let since = performance.now(); performance.now() - since < quietMs; ) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    if (value() === last) continue;
    last = value();
    since = performance.now();
  }
}
