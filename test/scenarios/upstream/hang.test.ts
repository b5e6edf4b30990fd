/** An upstream that hangs, in every phase of a call (faults #57): the one deadline ends it. */
import type { Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask, newId } from '../../support/ask.ts';
import { type Blackhole, openBlackhole } from '../../support/blackhole.ts';
import { type Gateway, RUNTIMES, startGateway } from '../../support/gateway.ts';
import { eventually } from '../../support/jobs.ts';
import {
  jobText,
  type RawScript,
  type RawUpstream,
  response,
  startRawUpstream,
} from '../../support/raw-upstream.ts';
import { failuresOf, useRig } from '../../support/upstream-rig.ts';

/** Short enough to wait for, long enough that a tenth of it is more than the machine's noise. */
const DEADLINE_MS = 1_500;
const ENV = { UPSTREAM_TIMEOUT_MS: String(DEADLINE_MS) };

async function expectTimeout(gateway: Gateway, phase: string, id: string = newId()): Promise<void> {
  const startedAt = performance.now();
  const { status, error, headers } = await ask(gateway.url, id);
  const tookMs = performance.now() - startedAt;
  expect([status, error.error, headers.get('retry-after'), error.retryable]).toEqual([
    504,
    'upstream_timeout',
    '2',
    true,
  ]);
  expect(tookMs).toBeGreaterThan(DEADLINE_MS * 0.9);
  expect(tookMs).toBeLessThan(DEADLINE_MS * 1.1 + 150); // 150 ms: the machine's noise
  const [line] = await failuresOf(gateway, id);
  expect(line).toMatchObject({ level: 'warn', phase, reason: 'deadline', code: 'upstream_timeout' });
  expect(line?.durationMs).toBeGreaterThan(DEADLINE_MS * 0.9);
}

/** One byte of these at a time, for longer than the deadline. */
function drip(bytes: string, firstAt = 0): RawScript {
  return ({ socket }) => {
    socket.write(bytes.slice(0, firstAt));
    let at = firstAt;
    const timer = setInterval(() => socket.write(bytes[at++ % bytes.length] ?? ''), 100);
    socket.on('close', () => clearInterval(timer));
  };
}

const HEAD = 'HTTP/1.1 200 OK\r\nContent-Length: 300\r\n\r\n';

/** What upstream does, and the phase that the log tells: until the headers are whole it is still `connect`. */
const HANGS: readonly (readonly [string, string, RawScript])[] = [
  ['accepts and is silent', 'connect', () => {}],
  ['hangs inside the status line', 'connect', ({ socket }) => socket.write('HTTP/1.1 20')],
  ['hangs inside the headers', 'connect', ({ socket }) => socket.write('HTTP/1.1 200 OK\r\nContent-')],
  ['drips its headers a byte at a time', 'connect', drip(HEAD.repeat(2))],
  [
    'sends 1xx for ever',
    'connect',
    ({ socket }) => {
      const timer = setInterval(() => socket.write('HTTP/1.1 103 Early Hints\r\n\r\n'), 50);
      socket.on('close', () => clearInterval(timer));
    },
  ],
  ['hangs after the headers', 'body', ({ socket }) => socket.write(HEAD)],
  ['hangs mid-body', 'body', ({ socket, id }) => socket.write(response(200, jobText(id)).subarray(0, -30))],
  [
    'hangs before the last chunk',
    'body',
    ({ socket, id }) => {
      const text = jobText(id);
      const chunk = `${text.length.toString(16)}\r\n${text}\r\n`;
      socket.write(response(200, chunk, ['Transfer-Encoding: chunked']));
    },
  ],
  ['drips its body a byte at a time', 'body', drip(`${HEAD}${' '.repeat(300)}`, HEAD.length)],
];

describe.each(RUNTIMES)('an upstream that hangs, on %s', (runtime) => {
  const rig = useRig(runtime, ENV);
  let blackhole: Blackhole;
  let silent: RawUpstream;
  let toBlackhole: Gateway;
  let toSilentTls: Gateway;
  beforeAll(async () => {
    blackhole = await openBlackhole();
    silent = await startRawUpstream(undefined, () => {});
    toBlackhole = await startGateway(runtime, `http://127.0.0.1:${blackhole.port}`, ENV);
    toSilentTls = await startGateway(runtime, `https://127.0.0.1:${silent.port}`, ENV);
  });
  afterAll(async () => {
    await toBlackhole?.stop();
    await toSilentTls?.stop();
    await blackhole?.close();
    await silent?.close();
  });

  // All at once: none of them may hold up another.
  it.concurrent.each(HANGS)(
    '#57 an upstream that %s is given up at the one deadline',
    async (_name, phase, script) => {
      const id = newId();
      const sockets: Socket[] = [];
      rig.upstream.scriptFor(id, (request) => {
        sockets.push(request.socket);
        script(request);
      });
      await expectTimeout(rig.gateway, phase, id);
      expect(rig.upstream.requestsFor(id)).toBe(1);
      expect(await eventually(() => sockets[0]?.destroyed, 2_000)).toBe(true); // nothing is left behind
    },
  );

  it.concurrent('#57 a connection that is never established is given up at the one deadline', async () => {
    await expectTimeout(toBlackhole, 'connect');
  });

  it.concurrent('#57 a TLS handshake that nobody answers is given up at the one deadline', async () => {
    await expectTimeout(toSilentTls, 'connect');
    expect(silent.connections()).toBeGreaterThan(0);
  });
});
