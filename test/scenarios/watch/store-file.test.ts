/** What was watched to its end is in the file: after a restart a new stream begins with it. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { scratchFolder } from '../../support/scratch.ts';
import { useSidecars } from '../../support/simulated-rig.ts';
import { openStream } from '../../support/stream.ts';

const folder = scratchFolder('csg-watched');
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const { simulator, start } = useSidecars(afterAll);

it('#168 a job that was watched to its end is known after a restart: one event, `end`, and upstream is not asked', async () => {
  const env = { CACHE_STORE_URL: `sqlite:${join(folder, 'answers.db')}`, CACHE_IN_FLIGHT_TTL_MS: '250' };
  const first = await start(env);
  const id = simulator.addJob({ state: 'processing' });
  const watched = await openStream(first.url, [id]);
  await watched.until(({ event }) => event === 'invocation');
  simulator.script(id, [{ type: 'state', state: 'complete' }]);
  await watched.ended;
  expect(watched.events.map(({ event }) => event)).toEqual(['invocation', 'invocation', 'end']);
  await first.stop();

  const calls = simulator.count(id);
  const second = await start(env);
  const again = await openStream(second.url, [id]);
  await again.ended;
  expect(again.events.map(({ event, data }) => [event, data])).toEqual(
    watched.events.slice(1).map(({ event, data }) => [event, data]),
  );
  expect(simulator.count(id)).toBe(calls);
});
