/**
 * Every answer of a gateway to any test is held against `docs/openapi.yaml`, whoever asked: the one place where this is
 * done. `vitest.config.ts` loads it before each test file; what was seen is left for `test/project/openapi-seen.test.ts`.
 */
import { afterAll, afterEach, expect } from 'vitest';
import type { Judge } from './judge.ts';
import { leaveSeen } from './seen.ts';
import { beginTap, heard } from './tap.ts';

const SHOWN = 5;
let judge: Promise<Judge> | undefined;

beginTap();
afterEach(() => judgeAll(false));
afterAll(async () => {
  await judgeAll(true);
  leaveSeen(expect.getState().testPath!, (await judge)?.seen ?? []);
});

async function judgeAll(isOver: boolean): Promise<void> {
  const exchanges = heard(isOver);
  if (exchanges.length === 0) return;
  judge ??= makeJudge();
  const { complaintsOf } = await judge;
  const complaints = new Set(exchanges.flatMap(complaintsOf));
  if (complaints.size === 0) return;
  throw new Error(`not as docs/openapi.yaml has it:\n${[...complaints].slice(0, SHOWN).join('\n')}`);
}

/** Most test files ask no gateway: they load none of this. */
async function makeJudge(): Promise<Judge> {
  const [{ createJudge }, { readDocument }] = await Promise.all([
    import('./judge.ts'),
    import('./document.ts'),
  ]);
  return createJudge(readDocument());
}
