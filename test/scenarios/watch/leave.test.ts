/** Those who watch go away: nothing of them is left, and upstream is asked no more (contract §9, §10). */
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { newId } from '../../support/ask.ts';
import { eventually } from '../../support/jobs.ts';
import { headersIn, statuses } from '../../support/raw-socket.ts';
import { useSimulated } from '../../support/simulated-rig.ts';
import { eventsPath, lineOf, QUICK, QUICK_MS, rawGet, watchesOf } from '../../support/watching.ts';

const NOT_ON_WORKERD = {
  '#152':
    'the edge holds the connections of callers; a Worker is not told of a half-close. How it learns that one left: long.test.ts',
};
it.skip.each(Object.entries(NOT_ON_WORKERD))('on workerd: %s: %s', () => {});

const NONE = { held: 0, invocations: 0 };

describe('on node', () => {
  const { simulator, gateway } = useSimulated('node', QUICK);
  const pending = () => simulator.addJob({ state: 'pending' });
  const isNone = (seen: unknown) => JSON.stringify(seen) === JSON.stringify(NONE);
  const held = (withinMs = 2_000) => eventually(() => watchesOf(gateway.url), withinMs, isNone);
  /** That upstream is not asked about it any more. */
  async function isQuiet(id: string): Promise<void> {
    const calls = simulator.count(id);
    await sleep(5 * QUICK_MS);
    expect(simulator.count(id)).toBeLessThanOrEqual(calls + 1); // one may have been under way
    const later = simulator.count(id);
    await sleep(3 * QUICK_MS);
    expect(simulator.count(id)).toBe(later);
  }

  it('#161 all watchers leave, half of them abruptly, some while an event is under way: upstream is asked no more', async () => {
    const id = pending();
    const requestIds = Array.from({ length: 60 }, newId);
    const all = await Promise.all(
      requestIds.map((requestId) => rawGet(gateway.url, eventsPath([id]), { 'X-Request-Id': requestId })),
    );
    for (const { text } of all) await eventually(() => text().includes('event: invocation'), 3_000);
    simulator.script(id, [{ type: 'state', state: 'processing' }]);
    await eventually(() => all.some(({ text }) => text().includes('"processing"')), 3_000);
    for (const [i, { socket }] of all.entries()) {
      if (i % 2 === 0) socket.resetAndDestroy();
      else socket.destroy();
    }
    expect(await held()).toEqual(NONE);
    await isQuiet(id);
    for (const requestId of requestIds) {
      expect(await lineOf(gateway, requestId)).toMatchObject({ status: 200, reason: 'left' });
    }
  });

  it('#161 #171 who waits leaves: upstream is asked no more, and the line says 499', async () => {
    const id = pending();
    const requestId = newId();
    const { socket } = await rawGet(gateway.url, `/api/v1/invocations/${id}`, {
      Prefer: 'wait=25',
      'X-Request-Id': requestId,
    });
    await simulator.arrived(2, id);
    socket.resetAndDestroy();
    expect(await held()).toEqual(NONE);
    await isQuiet(id);
    expect(await lineOf(gateway, requestId)).toMatchObject({ status: 499 });
  });

  it.each([
    ['as it is', ''],
    ['through an absolute target', 'http://elsewhere.example'],
  ])('#152 a half-close ends a stream, %s', async (_form, origin) => {
    const id = pending();
    const requestId = newId();
    const opened = await rawGet(gateway.url, origin + eventsPath([id]), { 'X-Request-Id': requestId });
    await eventually(() => opened.text().includes('event: invocation'), 3_000);
    opened.socket.end();
    expect(await held()).toEqual(NONE);
    await isQuiet(id);
    expect(await lineOf(gateway, requestId)).toMatchObject({ status: 200, events: 1, reason: 'left' });
    expect(await eventually(opened.isClosed, 2_000)).toBe(true);
  });

  it.each([
    ['as it is', ''],
    ['through an absolute target', 'http://elsewhere.example'],
  ])('#152 a half-close ends a wait, %s: it is answered from what is known', async (_form, origin) => {
    const id = pending();
    const { socket, text, closed } = await rawGet(gateway.url, `${origin}/api/v1/invocations/${id}`, {
      Prefer: 'wait=25',
    });
    await simulator.arrived(2, id);
    const endedAt = performance.now();
    socket.end();
    await closed;
    expect(performance.now() - endedAt).toBeLessThan(2_000);
    expect(statuses(text())).toEqual([200]);
    expect(headersIn(text())).toMatchObject({ 'preference-applied': 'wait=25' });
    expect(text()).toContain('"pending"');
    await isQuiet(id);
  });

  it('#152 a half-close before the first answer: it is waited for, as by a lookup', async () => {
    const id = simulator.addJob({ state: 'pending' });
    simulator.hold({ id });
    const { socket, text, closed } = await rawGet(gateway.url, `/api/v1/invocations/${id}`, {
      Prefer: 'wait=25',
    });
    await simulator.arrived(1, id);
    socket.end();
    await sleep(100);
    expect(text()).toBe('');
    simulator.release({ id });
    await closed;
    expect(statuses(text())).toEqual([200]);
  });
});
