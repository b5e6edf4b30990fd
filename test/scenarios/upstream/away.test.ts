/** An upstream that is not there (faults #53 to #55): what is known keeps coming, honestly labelled. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Asked, ask, newId } from '../../support/ask.ts';
import { freePort } from '../../support/free-port.ts';
import { type Gateway, RUNTIMES, startGateway } from '../../support/gateway.ts';
import { answer, type RawScript, response } from '../../support/raw-upstream.ts';
import { failuresOf, useRig } from '../../support/upstream-rig.ts';

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe.each(RUNTIMES)('an upstream that is not there, on %s', (runtime) => {
  let refusing: Gateway;
  let unknown: Gateway;
  beforeAll(async () => {
    refusing = await startGateway(runtime, `http://127.0.0.1:${await freePort()}`);
    unknown = await startGateway(runtime, 'https://no-such-host.invalid');
  });
  afterAll(async () => {
    await refusing?.stop();
    await unknown?.stop();
  });

  async function expectUnavailable(gateway: Gateway): Promise<Asked> {
    const id = newId();
    const asked = await ask(gateway.url, id);
    expect([
      asked.status,
      asked.error.error,
      asked.error.retryable,
      asked.headers.get('cache-control'),
    ]).toEqual([503, 'upstream_unavailable', true, 'no-store']);
    // One call and its one retry, each with its own line.
    const lines = await failuresOf(gateway, id, 2);
    for (const line of lines) {
      expect(line).toMatchObject({ level: 'warn', phase: 'connect', code: 'upstream_unavailable', bytes: 0 });
      expect(line.status).toBeUndefined();
    }
    return asked;
  }

  it('#53 refused: 503 with a jittered Retry-After of 1 to 5 s', async () => {
    // Eight lookups are sixteen calls: too few for the breaker, which would tell its own time.
    const seconds: number[] = [];
    for (let i = 0; i < 8; i++) {
      const { headers } = await expectUnavailable(refusing);
      seconds.push(Number(headers.get('retry-after')));
    }
    for (const each of seconds) expect([1, 2, 3, 4, 5]).toContain(each);
    expect(new Set(seconds).size).toBeGreaterThan(1); // all alike by chance: once in 78,125
  });

  it('#53 a name that does not resolve: the same', async () => {
    const { headers } = await expectUnavailable(unknown);
    expect([1, 2, 3, 4, 5]).toContain(Number(headers.get('retry-after')));
  });
});

describe.each(RUNTIMES)('what is known while upstream is away, on %s', (runtime) => {
  const rig = useRig(runtime, { CACHE_IN_FLIGHT_TTL_MS: '100', CACHE_STALE_IF_ERROR_MS: '3000' });

  /** Every way to fail. What pauses all calls comes last, for nothing answers after it. */
  const failures: readonly (readonly [string, RawScript])[] = [
    ['resets', ({ socket }) => socket.resetAndDestroy()],
    ['answers 500', ({ socket }) => socket.write(response(500))],
    ['answers 503', ({ socket }) => socket.write(response(503, '', ['Retry-After: 9']))],
    ['answers 403', ({ socket }) => socket.write(response(403))],
    ['answers 400', ({ socket }) => socket.write(response(400))],
    ['redirects', ({ socket }) => socket.write(response(302, '', ['Location: /']))],
    ['answers HTML', ({ socket }) => socket.write(response(200, '<html>'))],
    ['answers 401', ({ socket }) => socket.write(response(401))],
    ['answers 429', ({ socket }) => socket.write(response(429))],
  ];

  it('#54 #55 a terminal answer as ever; an in-flight one labelled stale, with its true age, inside its window', async () => {
    const done = newId();
    await rig.calm();
    rig.upstream.scriptFor(done, (request) => answer(request, { status: { complete: {} } }));
    const complete = await ask(rig.gateway.url, done);
    const running = failures.map(() => newId());
    const firsts: Asked[] = [];
    for (const id of running) firsts.push(await ask(rig.gateway.url, id));
    const startedAt = Date.now();
    await pause(1_100);

    rig.upstream.scriptFor(done, ({ socket }) => socket.resetAndDestroy());
    for (const [at, [name, script]] of failures.entries()) {
      const id = running[at]!;
      const before = rig.upstream.requestsFor(id);
      rig.upstream.scriptFor(id, script);
      const stale = await ask(rig.gateway.url, id);
      expect([name, stale.status, stale.text]).toEqual([name, 200, firsts[at]!.text]);
      expect(stale.cacheStatus).toMatch(/^chroma-sync-gateway; hit; ttl=-[12]; detail=stale-if-error$/);
      expect(stale.headers.get('cache-control')).toBe('private, no-cache');
      expect(stale.headers.get('etag')).toBe(firsts[at]!.headers.get('etag'));
      expect(stale.headers.get('date')).toBe(firsts[at]!.headers.get('date'));
      const age = Number(stale.headers.get('age'));
      expect(age).toBeGreaterThanOrEqual(1);
      expect(age).toBeLessThanOrEqual((Date.now() - startedAt) / 1_000 + 1);
      expect(rig.upstream.requestsFor(id) - before).toBeLessThanOrEqual(2);

      const known = await ask(rig.gateway.url, done);
      expect([known.status, known.text, known.cacheStatus]).toEqual([
        200,
        complete.text,
        'chroma-sync-gateway; hit',
      ]);
      expect(known.headers.get('cache-control')).toBe('private, max-age=31536000, immutable');
    }
    expect(rig.upstream.requestsFor(done)).toBe(1);

    await pause(startedAt + 3_300 - Date.now());
    const late = await ask(rig.gateway.url, running[0]!);
    expect(late.error.error).toBe('upstream_auth'); // by the pause that the 401 behind a stale answer began
    expect(late.cacheStatus).toBe('');
    expect((await ask(rig.gateway.url, done)).text).toBe(complete.text);
  });
});
