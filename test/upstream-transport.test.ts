/** Faults below HTTP's meaning (faults.md E): refused, reset, cut, hanging, garbage, TLS. */
import { createServer } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask, newId } from './support/ask.ts';
import { makeCertificates } from './support/certificates.ts';
import { type Gateway, RUNTIMES, startGateway, startNode, startWorkerd, TOKEN } from './support/gateway.ts';
import {
  answer,
  jobText,
  type RawRequest,
  type RawUpstream,
  response,
  startRawUpstream,
} from './support/raw-upstream.ts';

/** One deadline for everything below, short enough to wait for. */
const DEADLINE_MS = 1_000;

describe.each(RUNTIMES)('upstream transport on %s', (runtime) => {
  let upstream: RawUpstream;
  let gateway: Gateway;
  beforeAll(async () => {
    upstream = await startRawUpstream();
    gateway = await startGateway(runtime, upstream.url, {
      UPSTREAM_TIMEOUT_MS: String(DEADLINE_MS),
      CACHE_IN_FLIGHT_TTL_MS: '100',
    });
  });
  afterAll(async () => {
    await gateway.stop();
    await upstream.close();
  });

  async function expectFault(script: (request: RawRequest) => void, codes: readonly string[], calls: number) {
    upstream.script(script);
    const before = upstream.requests();
    const asked = await ask(gateway.url, newId());
    expect(codes).toContain(asked.error.error);
    expect(asked.headers.get('cache-control')).toBe('no-store');
    expect(upstream.requests() - before).toBeLessThanOrEqual(calls);
    return asked;
  }

  it('#58 a reset before the headers, on a reused socket, costs one retry and nobody notices', async () => {
    upstream.script((request) => answer(request));
    expect((await ask(gateway.url, newId())).status).toBe(200);
    upstream.script((request) =>
      request.earlierHere > 0 ? request.socket.resetAndDestroy() : answer(request),
    );
    for (let i = 0; i < 3; i++) expect((await ask(gateway.url, newId())).status).toBe(200);
  });

  const bodyCuts: readonly [string, (request: RawRequest) => void][] = [
    [
      'reset mid-body',
      ({ socket, id }) => {
        socket.write(response(200, jobText(id)).subarray(0, -20), () =>
          setTimeout(() => socket.resetAndDestroy(), 20),
        );
      },
    ],
    [
      'a Content-Length that is too long',
      ({ socket, id }) => socket.end(response(200, jobText(id), ['Content-Length: 5000'])),
    ],
    [
      'chunks without a last one',
      ({ socket, id }) =>
        socket.end(response(200, `10\r\n${jobText(id).slice(0, 16)}\r\n`, ['Transfer-Encoding: chunked'])),
    ],
    [
      'a close-delimited body that was cut',
      ({ socket, id }) =>
        socket.end(`HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n${jobText(id).slice(0, -5)}`),
    ],
  ];
  it.each(bodyCuts)('#59 %s is an unusable answer', async (_name, script) => {
    const { status, error } = await expectFault(script, ['upstream_bad_response'], 2);
    expect([status, error.retryable]).toEqual([502, true]);
  });

  it('#60 a compressed answer, whole or cut anywhere, is an unusable answer', async () => {
    for (const part of [0.1, 0.35, 0.5, 0.75, 0.98, 1]) {
      await expectFault(
        ({ socket, id }) => {
          const packed = gzipSync(jobText(id));
          const cut = packed.subarray(0, Math.floor(packed.length * part));
          socket.write(response(200, cut, ['Content-Encoding: gzip']));
        },
        ['upstream_bad_response'],
        2,
      );
    }
  });

  // workerd says "Network connection lost." of garbage and of a reset alike (facts M21).
  const garbled =
    runtime === 'node' ? ['upstream_bad_response'] : ['upstream_bad_response', 'upstream_unavailable'];
  it.each<[string, (request: RawRequest) => void]>([
    ['garbage', ({ socket }) => socket.end('\x00\x01\x02 this is no HTTP\r\n\r\n')],
    ['HTTP/0.9', ({ socket, id }) => socket.end(jobText(id))],
    [
      'a duplicate Content-Length',
      ({ socket, id }) =>
        socket.end(response(200, jobText(id), ['Content-Length: 5', 'Content-Length: 300'])),
    ],
    [
      'a bad chunk',
      ({ socket }) => socket.end(response(200, 'zz\r\nabc\r\n', ['Transfer-Encoding: chunked'])),
    ],
    [
      '20 KB of headers',
      ({ socket, id }) => socket.end(response(200, jobText(id), [`X-Big: ${'x'.repeat(20_000)}`])),
    ],
    [
      '101 Switching Protocols',
      ({ socket }) =>
        socket.end('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n'),
    ],
  ])('#61 #66 %s is an unusable answer', async (name, script) => {
    // workerd takes 20 KB of headers: then it is simply an answer.
    if (runtime === 'workerd' && name === '20 KB of headers') return;
    await expectFault(script, garbled, 2);
  });

  it('#62 what comes uninvited on a kept connection never reaches the next id', async () => {
    const stray = newId();
    upstream.script((request) => {
      answer(request);
      request.socket.write(response(200, jobText(stray)));
    });
    for (let i = 0; i < 10; i++) {
      const id = newId();
      const { status, text } = await ask(gateway.url, id);
      if (status === 200) expect((JSON.parse(text) as { id: string }).id).toBe(id);
      else expect(text).not.toContain(stray);
    }
  });

  it('#63 a redirect is never followed: the other origin hears nothing', async () => {
    const other = await startRawUpstream();
    try {
      for (const status of [301, 302, 303, 307, 308]) {
        await expectFault(
          ({ socket, id }) =>
            socket.write(response(status, '', [`Location: ${other.url}/api/v1/invocations/${id}`])),
          ['upstream_redirect'],
          1,
        );
      }
      expect(other.connections()).toBe(0);
    } finally {
      await other.close();
    }
  });

  it.each<[string, (request: RawRequest) => void]>([
    ['accepts and is silent', () => {}],
    [
      'hangs after the headers',
      ({ socket }) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 300\r\n\r\n'),
    ],
    [
      'drips a byte at a time',
      ({ socket, id }) => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 300\r\n\r\n');
        let sent = 0;
        const drip = setInterval(() => {
          if (socket.destroyed || sent >= 300) clearInterval(drip);
          else socket.write(jobText(id)[sent++] ?? ' ');
        }, 100);
        socket.on('close', () => clearInterval(drip));
      },
    ],
  ])('#57 an upstream that %s is given up at the one deadline', async (_name, script) => {
    const startedAt = performance.now();
    const asked = await expectFault(script, ['upstream_timeout'], 1);
    const tookMs = performance.now() - startedAt;
    expect([asked.status, asked.headers.get('retry-after'), asked.error.retryable]).toEqual([504, '2', true]);
    expect(tookMs).toBeGreaterThan(DEADLINE_MS * 0.9);
    expect(tookMs).toBeLessThan(DEADLINE_MS * 1.6); // the machine's noise included
  });
});

describe.each(RUNTIMES)('an upstream that is not there, on %s', (runtime) => {
  it('#53 refused or unknown: 503 with a short, jittered Retry-After', async () => {
    const closed = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => closed.once('listening', resolve));
    const { port } = closed.address() as { port: number };
    await new Promise((resolve) => closed.close(resolve));
    for (const url of [`http://127.0.0.1:${port}`, 'https://no-such-host.invalid']) {
      const gateway = await startGateway(runtime, url);
      const asked = await ask(gateway.url, newId());
      expect([asked.status, asked.error.error, asked.error.retryable]).toEqual([
        503,
        'upstream_unavailable',
        true,
      ]);
      expect(Number(asked.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
      expect(Number(asked.headers.get('retry-after'))).toBeLessThanOrEqual(5);
      await gateway.stop();
    }
  });

  it('#54 #55 what is known keeps coming: terminal as ever, in-flight labelled stale, with its true age', async () => {
    const upstream = await startRawUpstream();
    const gateway = await startGateway(runtime, upstream.url, {
      CACHE_IN_FLIGHT_TTL_MS: '100',
      CACHE_STALE_IF_ERROR_MS: '4000',
    });
    const [done, running] = [newId(), newId()];
    upstream.script((request) => answer(request, request.id === done ? { status: { complete: {} } } : {}));
    const first = await ask(gateway.url, running);
    await ask(gateway.url, done);
    upstream.script(({ socket }) => socket.resetAndDestroy());
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    const known = await ask(gateway.url, done);
    expect([known.status, known.cacheStatus]).toEqual([200, 'chroma-sync-gateway; hit']);
    const stale = await ask(gateway.url, running);
    expect([stale.status, stale.text]).toEqual([200, first.text]);
    expect(stale.cacheStatus).toMatch(/^chroma-sync-gateway; hit; ttl=-[12]; detail=stale-if-error$/);
    expect(Number(stale.headers.get('age'))).toBeGreaterThanOrEqual(1);
    expect(stale.headers.get('date')).toBe(first.headers.get('date'));
    await new Promise((resolve) => setTimeout(resolve, 3_500));
    expect((await ask(gateway.url, running)).error.error).toBe('upstream_unavailable');
    await gateway.stop();
    await upstream.close();
  });
});

const certificates = makeCertificates();
afterAll(() => certificates?.remove());

describe.runIf(certificates)('TLS towards upstream', () => {
  const { ca, caFile, good, ...bad } = certificates!;

  it.each(RUNTIMES)(
    'a certificate that we may trust is the way the token travels, on %s',
    async (runtime) => {
      const upstream = await startRawUpstream(good);
      const gateway =
        runtime === 'node'
          ? await startNode(upstream.url, { NODE_EXTRA_CA_CERTS: caFile })
          : await startWorkerd(upstream.url, {}, { trusted: ca });
      expect((await ask(gateway.url, newId())).status).toBe(200);
      expect(upstream.received()).toContain(TOKEN);
      await gateway.stop();
      await upstream.close();
    },
  );

  const wrong = [
    ['self-signed', bad.selfSigned],
    ['expired', bad.expired],
    ['for another name', bad.wrongName],
    ['missing: plain HTTP on the port', undefined],
  ] as const;
  it.each(RUNTIMES.flatMap((runtime) => wrong.map(([name, tls]) => [runtime, name, tls] as const)))(
    '#56 on %s, a certificate that is %s: no token byte leaves, nothing is downgraded',
    async (runtime, _name, tls) => {
      const upstream = await startRawUpstream(tls, ({ socket }) => socket.end(response(400)));
      const url = `https://127.0.0.1:${upstream.port}`;
      const gateway =
        runtime === 'node'
          ? await startNode(url, { NODE_EXTRA_CA_CERTS: caFile })
          : await startWorkerd(url, {}, { trusted: ca });
      const asked = await ask(gateway.url, newId());
      // workerd tells TLS from other failures by nothing (facts M21; contract §6).
      expect(asked.error.error).toBe(runtime === 'node' ? 'upstream_tls' : 'upstream_unavailable');
      if (runtime === 'node') {
        expect([asked.status, asked.headers.get('retry-after'), asked.error.retryable]).toEqual([
          502,
          '60',
          false,
        ]);
      }
      expect(upstream.received()).not.toContain(TOKEN);
      expect(upstream.requests()).toBe(0);
      await gateway.stop();
      await upstream.close();
    },
  );
});
