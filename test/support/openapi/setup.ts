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

/** Of the whole file: a test that passes when it is tried again has not taken them back. */
const complaints = new Set<string>();

beginTap();
afterEach(async () => {
  if ((await judgeAll(false)) > 0) complain();
});
afterAll(async () => {
  await judgeAll(true);
  leaveSeen(expect.getState().testPath!, (await judge)?.seen ?? []);
  if (complaints.size > 0) complain();
});

/** @returns how many complaints there are that were not there before */
async function judgeAll(isOver: boolean): Promise<number> {
  const exchanges = heard(isOver);
  if (exchanges.length === 0) return 0;
  judge ??= makeJudge();
  const { complaintsOf } = await judge;
  const before = complaints.size;
  for (const complaint of exchanges.flatMap(complaintsOf)) complaints.add(complaint);
  return complaints.size - before;
}

function complain(): never {
  throw new Error(`not as docs/openapi.yaml has it:\n${[...complaints].slice(-SHOWN).join('\n')}`);
}

/** Most test files ask no gateway: they load none of this. */
async function makeJudge(): Promise<Judge> {
  const [{ createJudge }, { readDocument }] = await Promise.all([
    import('./judge.ts'),
    import('./document.ts'),
  ]);
  return createJudge(readDocument());
}
