/** How a host tells that its caller left (#203): some abort the request, some cancel the body, some do neither. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { eventually } from '../../support/jobs.ts';
import { readText, useMounted } from '../../support/mounted.ts';

const { simulator, mount } = useMounted();
afterEach(() => {
  vi.useRealTimers();
});
const pending = () => simulator.addJob({ schedule: { processingAfterMs: 3_600_000 } });
const env = { CACHE_IN_FLIGHT_TTL_MS: '100' };
const streamOf = (id: string) => `/api/v1/invocations/events?id=${id}`;

describe('#203 a host', () => {
  it('that aborts the request and does not cancel the body frees the watch, and upstream is asked no more', async () => {
    const id = pending();
    const { ask, watches } = mount(env);
    const caller = new AbortController();
    const { until, rest } = readText(await ask(streamOf(id), { signal: caller.signal }));
    await until('"status":"pending"');
    expect(await watches()).toBe(1);
    caller.abort();
    expect(await eventually(watches, 5_000, (held) => held === 0)).toBe(0);
    expect(await rest()).not.toContain('event: end');
    const asked = simulator.count(id);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(simulator.count(id)).toBeLessThanOrEqual(asked + 1); // one may have been under way
  });

  it('that cancels the body and does not abort frees the watch', async () => {
    const { ask, watches } = mount(env);
    const { until, cancel } = readText(await ask(streamOf(pending())));
    await until('"status":"pending"');
    await cancel();
    expect(await eventually(watches, 5_000, (held) => held === 0)).toBe(0);
  });

  it.each(['stream', 'wait'])(
    'that hands over a request that is aborted already holds no %s',
    async (kind) => {
      const id = pending();
      const { ask, lookup, watches } = mount(env);
      const init = { signal: AbortSignal.abort() };
      if (kind === 'stream') await ask(streamOf(id), init);
      else void lookup(id, { ...init, headers: { prefer: 'wait=25' } });
      expect(await eventually(watches, 5_000, (held) => held === 0)).toBe(0);
    },
  );

  it('that aborts a wait frees it', async () => {
    const id = pending();
    const { lookup, watches } = mount(env);
    const etag = (await lookup(id)).headers.get('etag')!;
    const caller = new AbortController();
    const headers = { prefer: 'wait=25', 'if-none-match': etag };
    const wait = lookup(id, { signal: caller.signal, headers });
    expect(await eventually(watches, 2_000, (held) => held === 1)).toBe(1);
    caller.abort();
    expect((await wait).status).toBe(304);
    expect(await watches()).toBe(0);
  });

  it('that does neither and goes on pulling keeps the watch to the end of its lifetime, and no longer', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    const { ask, watches } = mount();
    const stream = readText(await ask(streamOf(pending())));
    const pulled = stream.rest();
    await vi.advanceTimersByTimeAsync(530_000);
    expect(await watches()).toBe(1);
    await vi.advanceTimersByTimeAsync(70_000);
    expect(await pulled).toMatch(/data: \{"reason":"lifetime"\}\n\n$/);
    expect(await watches()).toBe(0);
  });

  it('that does neither and pulls nothing at all keeps the watch for 90 s at most', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    const { ask, watches } = mount();
    const unread = await ask(streamOf(pending()));
    await vi.advanceTimersByTimeAsync(50_000);
    expect(await watches()).toBe(1);
    await vi.advanceTimersByTimeAsync(40_000);
    expect(await watches()).toBe(0);
    await expect(unread.text()).rejects.toThrow('nobody reads');
  });
});
