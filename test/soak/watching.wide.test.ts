/** One minute of what docs/reliability.md has ten of; the program says itself what it checks. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const SOAK = fileURLToPath(new URL('../../bench/watch-soak.ts', import.meta.url));

it('#161 #163 #168 #173 five hundred viewers come and go, upstream has a bad day, the sidecar is restarted: nobody sees a job go backwards, everybody knows its end, nothing is left over', {
  timeout: 180_000,
}, () => {
  const args = [SOAK, '--minutes', '1', '--streams', '500'];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    encoding: 'utf8',
    timeout: 170_000,
  });
  expect([status, stderr], stdout).toEqual([0, '']);
});
