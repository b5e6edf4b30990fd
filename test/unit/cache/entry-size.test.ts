/** What an entry costs, from a path and upstream bytes to the memory tier: docs/performance.md, "Memory". */
import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';

interface Filled {
  readonly kept: number;
  readonly heap: number;
  readonly accounted: number;
  readonly body: number;
  readonly key: number;
}

it('an entry costs no more beside its body and key than its body, and no more than the tier accounts for it', () => {
  const env = { PATH: process.env.PATH, ENTRIES: '60000' };
  const printed = execFileSync(process.execPath, ['--expose-gc', 'bench/probes/fill.ts'], { env });
  const { kept, heap, accounted, body, key } = JSON.parse(printed.toString()) as Filled;
  expect(kept).toBe(60_000);
  expect(heap - body - key).toBeLessThanOrEqual(body);
  expect(heap).toBeLessThanOrEqual(accounted);
});
