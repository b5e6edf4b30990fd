/** How many lines of the log were lost, on stdouts that cannot be written (contract §14, #137). */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { expect, it } from 'vitest';

const MODULE = new URL('../../../src/node/stdout.ts', import.meta.url).href;

/** Writes lines of 64 KiB, four in each turn of the event loop, and tells on stderr how many were lost. */
const script = (lines: number) => `
  import { createStdout } from '${MODULE}';
  const stdout = createStdout();
  const line = 'x'.repeat(65_535) + '\\n';
  for (let i = 0; i < ${lines}; i += 4) {
    for (let j = 0; j < 4; j++) stdout.write(line);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await stdout.end();
  process.stderr.write(String(stdout.dropped()));
  process.exit();`;

function run(lines: number, stdout: number | 'pipe') {
  const child = spawn(process.execPath, ['--input-type=module', '-e', script(lines)], {
    stdio: ['ignore', stdout, 'pipe'],
  });
  return { child, dropped: text(child.stderr!).then(Number) };
}

it.skipIf(!existsSync('/dev/full'))(
  'a full disk: what fits into 16 MiB waits, the rest is lost',
  async () => {
    const full = openSync('/dev/full', 'w');
    const [waiting, lost] = [run(256, full), run(300, full)];
    expect([await waiting.dropped, await lost.dropped]).toEqual([0, 44]);
    closeSync(full);
  },
);

it('a reader that reads all: none is lost', async () => {
  const { child, dropped } = run(40, 'pipe');
  const [read] = await Promise.all([text(child.stdout!), once(child, 'exit')]);
  expect([await dropped, read.length]).toEqual([0, 40 * 65_536]);
});

it('a reader that goes away before the first line: all are lost', async () => {
  const { child, dropped } = run(40, 'pipe');
  child.stdout!.destroy();
  expect(await dropped).toBe(40);
});

it('a reader that goes away: what it had and what was lost are all there is, but for what was on its way', async () => {
  const { child, dropped } = run(400, 'pipe');
  let bytes = 0;
  for await (const chunk of child.stdout!) {
    bytes += (chunk as Buffer).length;
    if (bytes > 50 * 65_536) break; // and so the pipe is closed
  }
  const had = Math.floor(bytes / 65_536);
  const lost = await dropped;
  // The lines of one turn count together; a pipe holds one line, and its reader another.
  expect(lost).toBeLessThanOrEqual(400 - had + 4);
  expect(lost).toBeGreaterThan(400 - had - 16);
});
