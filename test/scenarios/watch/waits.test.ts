/** `Prefer: wait=N` (contract §9): what ends a wait, and in which answer. */
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { type Asked, ask, newId } from '../../support/ask.ts';
import { RUNTIMES } from '../../support/gateway.ts';
import { useSimulated } from '../../support/simulated-rig.ts';
import { QUICK, QUICK_MS, wait } from '../../support/watching.ts';

const HIT = 'chroma-sync-gateway; hit';
const appliedOf = ({ headers }: Asked) => headers.get('preference-applied');

describe.each(RUNTIMES)('on %s', (runtime) => {
  const { simulator, gateway } = useSimulated(runtime, QUICK);
  const pending = () => simulator.addJob({ state: 'pending' });
  const etagOf = async (id: string) => (await ask(gateway.url, id)).headers.get('etag')!;

  it('without If-None-Match it is answered when the job is terminal, however else it changes', async () => {
    const id = pending();
    const waiting = wait(gateway.url, id, 'wait=20');
    await simulator.arrived(1, id);
    simulator.script(id, [{ type: 'state', state: 'processing' }]);
    await simulator.arrived(3, id);
    simulator.script(id, [{ type: 'state', state: 'failed' }]);
    const answer = await waiting;
    expect([answer.status, appliedOf(answer)]).toEqual([200, 'wait=20']);
    expect(JSON.parse(answer.text)).toMatchObject({ id, status: { failed: {} } });
    expect(answer.cacheStatus).toBe(HIT);
    expect(answer.tookMs).toBeLessThan(10_000);
  });

  it('a terminal job is answered at once, unknown or known, and to who has it already with a 304', async () => {
    const id = simulator.addJob({ state: 'complete' });
    const first = await wait(gateway.url, id, 'wait=20');
    const again = await wait(gateway.url, id, 'wait=20');
    const etag = first.headers.get('etag')!;
    const same = await wait(gateway.url, id, 'wait=20', { 'if-none-match': etag });
    const any = await wait(gateway.url, id, 'wait=20', { 'if-none-match': '*' });
    expect([first, again, same, any].map(({ status }) => status)).toEqual([200, 200, 304, 304]);
    for (const answer of [first, again, same, any]) {
      expect(appliedOf(answer)).toBe('wait=20');
      expect(answer.tookMs).toBeLessThan(3_000);
    }
    expect(simulator.count(id)).toBe(1);
  });

  it('what differs from If-None-Match is answered at once; what matches, when it changes', async () => {
    const id = pending();
    const etag = await etagOf(id);
    const other = await wait(gateway.url, id, 'wait=20', { 'if-none-match': '"other", W/"more"' });
    expect([other.status, appliedOf(other)]).toEqual([200, 'wait=20']);
    expect(other.tookMs).toBeLessThan(3_000);
    const waiting = wait(gateway.url, id, 'wait=20', { 'if-none-match': `"other", W/${etag}` });
    await sleep(2 * QUICK_MS);
    simulator.script(id, [{ type: 'state', state: 'processing' }]);
    const changed = await waiting;
    expect([changed.status, JSON.parse(changed.text)]).toEqual([
      200,
      expect.objectContaining({ status: 'processing' }),
    ]);
    expect(changed.headers.get('etag')).not.toBe(etag);
    expect(changed.tookMs).toBeGreaterThan(2 * QUICK_MS - 50);
    expect(changed.tookMs).toBeLessThan(5_000);
  });

  it('at the end of its time it is a hit: 200, or 304 to who has it and to *', async () => {
    const id = pending();
    const etag = await etagOf(id);
    const all = await Promise.all([
      wait(gateway.url, id, 'wait=1'),
      wait(gateway.url, id, 'wait=1', { 'if-none-match': etag }),
      wait(gateway.url, id, 'wait=1', { 'if-none-match': '*' }),
    ]);
    expect(all.map(({ status }) => status)).toEqual([200, 304, 304]);
    for (const answer of all) {
      expect(appliedOf(answer)).toBe('wait=1');
      expect(answer.cacheStatus).toMatch(/^chroma-sync-gateway; hit(; ttl=-?\d+)?$/);
      expect(answer.headers.get('etag')).toBe(etag);
      expect(answer.tookMs).toBeGreaterThan(950);
      expect(answer.tookMs).toBeLessThan(3_000);
    }
  });

  it('#173 past its TTL because of the pace, it says so by a negative ttl and no detail', async () => {
    const id = pending();
    simulator.script(id, [{ type: 'patch', patch: { created_at: '2026-01-01T00:00:00Z' } }]);
    const answer = await wait(gateway.url, id, 'wait=2');
    expect(answer.cacheStatus).toMatch(/^chroma-sync-gateway; hit; ttl=-\d+$/);
    expect(Number(answer.headers.get('age'))).toBeGreaterThanOrEqual(1);
    expect(simulator.count(id)).toBe(1);
  });

  it('a 404 ends it at once, also one that comes later', async () => {
    const none = await wait(gateway.url, newId(), 'wait=20');
    expect([none.status, none.error.error, appliedOf(none)]).toEqual([404, 'not_found', null]);
    expect(none.tookMs).toBeLessThan(3_000);
    const id = pending();
    const waiting = wait(gateway.url, id, 'wait=20');
    await simulator.arrived(1, id);
    await sleep(50);
    simulator.script(id, [{ type: 'status', status: 404 }]);
    const later = await waiting;
    expect([later.status, later.error.error]).toEqual([404, 'not_found']);
    expect(later.tookMs).toBeLessThan(5_000);
  });

  it('what is no id is 400 at once', async () => {
    const { status, error, tookMs } = await wait(gateway.url, 'x', 'wait=20');
    expect([status, error.error]).toEqual([400, 'invalid_id']);
    expect(tookMs).toBeLessThan(3_000);
  });

  it('#171 upstream fails and nothing is known: the error at once', async () => {
    const id = pending();
    simulator.fault({ type: 'status', status: 400 }, { id });
    const { status, error, tookMs } = await wait(gateway.url, id, 'wait=20');
    expect([status, error.error]).toEqual([502, 'upstream_rejected']);
    expect(tookMs).toBeLessThan(3_000);
  });

  it('#171 upstream fails and an answer is known: the wait goes on, and ends in that answer, labelled stale', async () => {
    const id = pending();
    const waiting = wait(gateway.url, id, 'wait=2');
    await simulator.arrived(1, id);
    await sleep(50);
    simulator.fault({ type: 'status', status: 400 }, { id });
    const answer = await waiting;
    expect([answer.status, appliedOf(answer)]).toEqual([200, 'wait=2']);
    expect(answer.cacheStatus).toMatch(/; hit; ttl=-\d+; detail=stale-if-error$/);
    expect(answer.tookMs).toBeGreaterThan(1_900);

    // It begins in trouble, which passes.
    const next = wait(gateway.url, id, 'wait=20');
    await sleep(2 * QUICK_MS);
    simulator.heal();
    simulator.script(id, [{ type: 'state', state: 'complete' }]);
    const passed = await next;
    expect([passed.status, passed.cacheStatus]).toEqual([200, HIT]);
    expect(passed.tookMs).toBeGreaterThan(2 * QUICK_MS - 50);
    expect(passed.tookMs).toBeLessThan(8_000);
  });

  it('a first question that is slower than the wait is waited for, as by a lookup', async () => {
    const id = pending();
    simulator.hold({ id });
    const waiting = wait(gateway.url, id, 'wait=1');
    await sleep(1_500);
    simulator.release({ id });
    const answer = await waiting;
    expect([answer.status, appliedOf(answer)]).toEqual([200, 'wait=1']);
    expect(answer.tookMs).toBeGreaterThan(1_450);
    expect(answer.tookMs).toBeLessThan(4_000);
    expect(simulator.count(id)).toBe(1);
  });

  it('HEAD waits as GET does', async () => {
    const id = pending();
    const startedAt = performance.now();
    const url = `${gateway.url}/api/v1/invocations/${id}`;
    const waiting = fetch(url, { method: 'HEAD', headers: { prefer: 'wait=20' } });
    await simulator.arrived(1, id);
    simulator.script(id, [{ type: 'state', state: 'complete' }]);
    const { status, headers } = await waiting;
    expect([status, headers.get('preference-applied')]).toEqual([200, 'wait=20']);
    expect(headers.get('content-length')).toBe(String(Buffer.byteLength((await ask(gateway.url, id)).text)));
    expect(performance.now() - startedAt).toBeLessThan(8_000);
  });

  it('#171 two hundred waits on one job are one question at a time, and all are answered when it ends', async () => {
    const id = pending();
    const startedAt = performance.now();
    const waiting = Array.from({ length: 200 }, () => wait(gateway.url, id, 'wait=20'));
    await simulator.arrived(4, id);
    expect(performance.now() - startedAt).toBeGreaterThan(3 * QUICK_MS - 20);
    simulator.script(id, [{ type: 'state', state: 'complete' }]);
    const answers = await Promise.all(waiting);
    expect(answers.every(({ status, text }) => status === 200 && text.includes('complete'))).toBe(true);
    const longest = Math.max(...answers.map(({ tookMs }) => tookMs));
    expect(simulator.count(id)).toBeLessThanOrEqual(2 + Math.ceil(longest / QUICK_MS));
  });
});
