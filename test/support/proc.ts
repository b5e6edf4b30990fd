/** What Linux tells of a process that a test has started. */
import { readFileSync } from 'node:fs';
import type { GatewayProcess } from '../../simulator/gateway-process.ts';

/** The number of the one process that a command in front has started (`unshare`, `strace`). */
export function innerPid({ process: { pid } }: GatewayProcess): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim());
}

/** A line of `/proc/PID/status`, its fields. */
export function statusOf(pid: number, name: string): string[] {
  const line = readFileSync(`/proc/${pid}/status`, 'utf8')
    .split('\n')
    .find((text) => text.startsWith(`${name}:`));
  return line?.split(/\s+/).slice(1) ?? [];
}
