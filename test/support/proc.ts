/** What Linux tells of a process that a test has started. */
import { readFileSync } from 'node:fs';
import type { GatewayProcess } from '../../simulator/gateway-process.ts';

/** The number of the one process that a command in front (`unshare`, `strace`) has started and that still runs. */
export function innerPid({ process: { pid } }: GatewayProcess): number | undefined {
  const children = readIfThere(`/proc/${pid}/task/${pid}/children`).trim();
  return children === '' ? undefined : Number(children);
}

/** A line of `/proc/PID/status`, its fields. */
export function statusOf(pid: number, name: string): string[] {
  const line = readFileSync(`/proc/${pid}/status`, 'utf8')
    .split('\n')
    .find((text) => text.startsWith(`${name}:`));
  return line?.split(/\s+/).slice(1) ?? [];
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
