/** The machine's clock is set back while streams and waits are open: what is due by elapsed time stays due (#174). */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect, it } from 'vitest';
import { bearer, GRANT_ENV, grantFor } from '../../support/grants.ts';
import { useSidecars } from '../../support/simulated-rig.ts';
import { QUICK, useStreams, wait } from '../../support/watching.ts';

const { simulator, start } = useSidecars(afterAll);
const stream = useStreams();

/** A process whose clock SIGUSR2 sets by this. */
const setBy = (ms: number) => {
  const code = `let by = 0; const now = Date.now; Date.now = () => now() + by; process.on('SIGUSR2', () => { by += ${ms}; });`;
  return { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(code)}` };
};
const HOUR_MS = 3_600_000;

it('#174 the clock is set back an hour: no stream or wait ends early, none stops asking', async () => {
  const gateway = await start({ ...setBy(-HOUR_MS), ...GRANT_ENV, ...QUICK });
  const id = simulator.addJob({ state: 'pending' });
  const inDays = (days: number) => Date.now() + days * 24 * HOUR_MS;
  // What the clock says of a grant's end or a job's age is its own affair: both are far ahead.
  const mine = bearer(grantFor('*', { exp: inDays(1) / 1_000 }));
  const as = (status: unknown) =>
    simulator.script(id, [
      { type: 'patch', patch: { status, created_at: new Date(inDays(1)).toISOString() } },
    ]);
  as('pending');
  const opened = await stream(gateway.url, [id], mine);
  await opened.until(({ event }) => event === 'invocation');
  const waiting = wait(gateway.url, id, 'wait=2', mine);
  await sleep(100);
  gateway.process.kill('SIGUSR2');
  const answer = await waiting;
  expect([answer.status, answer.headers.get('preference-applied')]).toEqual([200, 'wait=2']);
  expect(answer.tookMs).toBeGreaterThan(1_900);
  expect(answer.tookMs).toBeLessThan(4_000);
  await simulator.arrived(simulator.count(id) + 2, id);
  expect(opened.events.map(({ event }) => event)).toEqual(['invocation']);
  as('processing');
  await opened.until(({ data }) => data.includes('processing'), 4_000);
  const late = await stream(gateway.url, [id], mine);
  expect((await late.until(() => true)).data).toContain('processing');
  as('cancelled');
  await Promise.all([opened.ended, late.ended]);
  expect(opened.events.map(({ event }) => event)).toEqual(['invocation', 'invocation', 'invocation', 'end']);
});
