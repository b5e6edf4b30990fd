/** The process ends while streams and waits are open (contract §9, §10). The Worker has no such life. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { healthz, isRefused, newId, readyz } from '../../support/ask.ts';
import { eventually } from '../../support/jobs.ts';
import { open, statuses } from '../../support/raw-socket.ts';
import { useSidecars } from '../../support/simulated-rig.ts';
import { eventsPath, lineOf, QUICK, rawGet, useStreams, wait } from '../../support/watching.ts';

const { simulator, start } = useSidecars(afterAll);
const stream = useStreams();
const pending = () => simulator.addJob({ state: 'pending' });
const hasJob = ({ event }: { event: string }) => event === 'invocation';

describe('SIGTERM (#168)', () => {
  it('#168 #171 each of 300 streams and waits is told, none is cut, exit 0; who comes back elsewhere has the present state', async () => {
    const [gateway, other] = [await start(), await start()];
    const ids = Array.from({ length: 10 }, pending);
    const idOf = (i: number) => ids[i % ids.length]!;
    const streams = await Promise.all(Array.from({ length: 300 }, (_, i) => stream(gateway.url, [idOf(i)])));
    await Promise.all(streams.map((one) => one.until(hasJob)));
    const waits = Promise.all(
      Array.from({ length: 300 }, (_, i) =>
        wait(gateway.url, idOf(i), 'wait=25', { 'x-request-id': `waiter-${i}` }),
      ),
    );
    await eventually(
      () =>
        readyz(gateway.url).then(
          ({ body }) => (body as unknown as { watches: { held: number } }).watches.held,
        ),
      5_000,
      (held) => held === 600,
    );
    const startedAt = performance.now();
    gateway.process.kill('SIGTERM');
    await Promise.all(streams.map(({ ended }) => ended)); // rejects for one that was cut
    expect(performance.now() - startedAt).toBeLessThan(2_500);
    for (const { events } of streams) {
      expect(events.at(-1)).toMatchObject({ event: 'end', data: '{"reason":"shutdown"}', id: undefined });
    }
    for (const { status, headers, text } of await waits) {
      expect([status, headers.get('preference-applied'), headers.get('connection')]).toEqual([
        200,
        'wait=25',
        'close',
      ]);
      expect(text).toContain('"pending"');
    }
    expect(await gateway.exited).toBe(0);
    expect(performance.now() - startedAt).toBeLessThan(4_000);
    const lines = gateway.logs().filter(({ reason }) => reason === 'shutdown');
    expect(lines).toHaveLength(300);
    expect(lines.every(({ status, events }) => status === 200 && events === 1)).toBe(true);

    // Spread over two seconds: in no tenth of a second more than a fifth of them.
    const tenths = Map.groupBy(streams, (one) => Math.floor(one.retry()! / 100));
    expect(Math.max(...[...tenths.values()].map(({ length }) => length))).toBeLessThan(60);
    const back = await Promise.all(ids.map((id) => stream(other.url, [id])));
    for (const [i, one] of back.entries()) expect((await one.until(hasJob)).data).toContain(ids[i]);
  });

  it('#168 #171 while it drains, streams and waits are opened and go on', async () => {
    const delayMs = 2_000;
    const gateway = await start({ SHUTDOWN_DELAY_MS: String(delayMs), ...QUICK });
    const id = pending();
    const early = await stream(gateway.url, [id]);
    await early.until(hasJob);
    const killedAt = performance.now();
    gateway.process.kill('SIGTERM');
    await eventually(async () => (await readyz(gateway.url)).status === 503, 1_000);
    const late = await stream(gateway.url, [id]);
    await late.until(hasJob);
    const waiting = wait(gateway.url, id, 'wait=20');
    const other = wait(gateway.url, pending(), 'wait=20');
    await sleep(100);
    simulator.script(id, [{ type: 'state', state: 'processing' }]);
    for (const one of [early, late]) await one.until(({ data }) => data.includes('processing'), 1_500);
    expect(performance.now() - killedAt).toBeLessThan(delayMs);
    expect(early.events.some(({ event }) => event === 'end')).toBe(false);
    for (const one of [early, late]) {
      await one.ended;
      expect(one.events.at(-1)!.data).toBe('{"reason":"shutdown"}');
    }
    const afterMs = performance.now() - killedAt;
    expect(afterMs).toBeGreaterThan(delayMs - 50);
    expect(afterMs).toBeLessThan(delayMs + 1_000);
    for (const answer of await Promise.all([waiting, other])) {
      expect([answer.status, answer.headers.get('preference-applied')]).toEqual([200, 'wait=20']);
    }
    expect(await gateway.exited).toBe(0);
  });

  it('#168 a stream or a wait that is asked for when it closes is 503 shutting_down; who is at its end, 204', async () => {
    const gateway = await start();
    const id = pending();
    const half = await Promise.all(
      [
        [eventsPath([id]), ''],
        [eventsPath([id]), 'Last-Event-ID: end\r\n'],
        [`/api/v1/invocations/${id}`, 'Prefer: wait=20\r\n'],
      ].map(async ([path, header]) => {
        const connection = await open(gateway.url);
        // The answer to the first request shows that what follows it has arrived.
        connection.socket.write(
          `GET /healthz HTTP/1.1\r\nHost: h\r\n\r\nGET ${path} HTTP/1.1\r\n${header}Host: h\r\n`,
        );
        expect(await eventually(() => statuses(connection.text()).length === 1, 2_000)).toBe(true);
        return connection;
      }),
    );
    gateway.process.kill('SIGTERM');
    expect(await eventually(() => isRefused(gateway.url), 2_000)).toBe(true);
    for (const { socket } of half) socket.write('\r\n');
    await Promise.all(half.map(({ closed }) => closed));
    expect(half.map(({ text }) => statuses(text())[1])).toEqual([503, 204, 503]);
    for (const i of [0, 2]) {
      expect(half[i]!.text()).toContain('"shutting_down"');
      expect(half[i]!.text()).toMatch(/^connection: close\r$/im);
      expect(half[i]!.text()).toMatch(/^retry-after: 1\r$/im);
    }
    expect(await gateway.exited).toBe(0);
  });

  it('#171 a wait whose first question is under way when it closes is answered by it', async () => {
    const gateway = await start();
    const id = pending();
    simulator.hold({ id });
    const waiting = wait(gateway.url, id, 'wait=20');
    await simulator.arrived(1, id);
    gateway.process.kill('SIGTERM');
    expect(await eventually(() => isRefused(gateway.url), 2_000)).toBe(true);
    simulator.release({ id });
    const answer = await waiting;
    expect([answer.status, answer.headers.get('preference-applied')]).toEqual([200, 'wait=20']);
    expect(await gateway.exited).toBe(0);
  });

  it('#168 through an absolute target a stream is told as well', async () => {
    const gateway = await start();
    const requestId = newId();
    const { text, closed } = await rawGet(gateway.url, `http://h${eventsPath([pending()])}`, {
      'X-Request-Id': requestId,
    });
    expect(await eventually(() => text().includes('event: invocation'), 2_000)).toBe(true);
    const startedAt = performance.now();
    gateway.process.kill('SIGTERM');
    await closed;
    expect(text()).toMatch(/event: end\ndata: \{"reason":"shutdown"\}\n\n\r\n0\r\n\r\n$/);
    expect(await gateway.exited).toBe(0);
    expect(performance.now() - startedAt).toBeLessThan(2_500);
    expect(await lineOf(gateway, requestId)).toMatchObject({ reason: 'shutdown' });
  });

  it('#168 who does not read holds the end up for 10 s, not longer', { timeout: 30_000 }, async () => {
    const gateway = await start();
    const metadata = { text: 'x'.repeat(200_000) };
    const ids = Array.from({ length: 50 }, () => {
      const id = pending();
      simulator.script(id, [{ type: 'patch', patch: { metadata } }]);
      return id;
    });
    const deaf = await rawGet(gateway.url, eventsPath(ids));
    deaf.socket.pause();
    await Promise.all(ids.map((id) => simulator.arrived(1, id)));
    expect(await healthz(gateway.url)).toBe(200);
    await sleep(200);
    const startedAt = performance.now();
    gateway.process.kill('SIGTERM');
    expect(await gateway.exited).toBe(0);
    expect(performance.now() - startedAt).toBeGreaterThan(9_000);
    expect(performance.now() - startedAt).toBeLessThan(12_000);
    deaf.socket.destroy();
  });
});
