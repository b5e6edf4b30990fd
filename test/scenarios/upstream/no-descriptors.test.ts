/** A process that has no file descriptor left for an upstream call (faults #139): a real one, with a real limit. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { newId } from '../../support/ask.ts';
import { type LogLine, TOKEN } from '../../support/gateway.ts';

import { eventually } from '../../support/jobs.ts';
import { jsonLines } from '../../support/json-lines.ts';
import { open, type RawConnection } from '../../support/raw-socket.ts';
import { answer, type RawUpstream, startRawUpstream } from '../../support/raw-upstream.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const LIMIT = 64;

let stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.reverse()) await stop();
  stops = [];
});

interface Limited {
  readonly url: string;
  logs(): LogLine[];
}

async function startLimited(upstreamUrl: string): Promise<Limited> {
  const script = `ulimit -n ${LIMIT}; exec "$0" src/node.ts`; // $0: the argument behind it
  const env = { PATH: process.env.PATH, CHROMA_API_KEY: TOKEN, UPSTREAM_URL: upstreamUrl, PORT: '0' };
  const child = spawn('/bin/sh', ['-c', script, process.execPath], { cwd: ROOT, env });
  const exited = once(child, 'exit');
  stops.push(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  const logs = () => jsonLines<LogLine>(text);
  const ready = await eventually(
    () => logs().find(({ msg }) => msg === 'listening'),
    10_000,
    (line) => line !== undefined,
  );
  return { url: String(ready!.url), logs };
}

/** One request over a connection that stands already. */
async function get(connection: RawConnection, path: string): Promise<string> {
  const before = connection.text().length;
  connection.socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  const whole = (text: string) => {
    const [, length, body] = /content-length: (\d+).*?\r\n\r\n(.*)$/is.exec(text) ?? [];
    return length !== undefined && body!.length >= Number(length);
  };
  return eventually(() => connection.text().slice(before), 10_000, whole);
}
const statusOf = (text: string) => Number(text.slice(9, 12));
const lookup = (connection: RawConnection, id: string) => get(connection, `/api/v1/invocations/${id}`);

/** The first question of a name service needs descriptors of its own, and says that there is no such name. */
const HOSTS = [
  ['127.0.0.1', 'asked before'],
  ['localhost', 'asked before'],
  ['localhost', 'never asked'],
] as const;

describe.each(HOSTS)('#139 no descriptor for a connection to %s, %s', (host, when) => {
  it('is 503, says nothing of upstream, and spares what is known', async () => {
    const upstream: RawUpstream = await startRawUpstream();
    stops.push(() => upstream.close());
    upstream.script((request) => {
      answer(request, { status: 'cancelled' });
      request.socket.end(); // nothing is kept alive: each call needs a descriptor
    });
    const gateway = await startLimited(`http://${host}:${upstream.port}`);
    const caller = await open(gateway.url);
    const known = newId();
    if (when === 'asked before') expect(statusOf(await lookup(caller, known))).toBe(200);
    const before = upstream.requests();

    // Idle callers take all that is left; who comes after them is closed at once.
    const crowd = await Promise.all(Array.from({ length: LIMIT }, () => open(gateway.url)));
    await eventually(() => crowd.some((each) => each.isClosed()), 5_000);
    for (let i = 0; i < 25; i++) {
      const text = await lookup(caller, newId());
      expect([statusOf(text), /"error":"(\w+)"/.exec(text)?.[1]]).toEqual([503, 'upstream_unavailable']);
      expect(text).toMatch(/\r\nretry-after: [1-5]\r\n/i);
    }
    if (when === 'asked before') expect(statusOf(await lookup(caller, known))).toBe(200);
    expect(await get(caller, '/readyz')).toContain('"breaker":"closed"');
    expect(upstream.requests()).toBe(before);
    const failed = gateway.logs().filter(({ msg }) => msg === 'upstream call failed');
    expect(failed).toHaveLength(25); // one call each, no storm
    for (const line of failed) expect(line).toMatchObject({ reason: 'local', phase: 'connect' });
    expect(gateway.logs().some(({ code }) => code === 'internal')).toBe(false);

    for (const { socket } of crowd) socket.destroy();
    await eventually(
      () => lookup(caller, newId()),
      10_000,
      (text) => statusOf(text) === 200,
    );
    caller.socket.destroy();
  });
});
