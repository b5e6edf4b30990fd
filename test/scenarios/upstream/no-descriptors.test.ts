/** A process that has no file descriptor left for an upstream call (faults #139): a real one, with a real limit. */
import type { Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { withLimit } from '../../../simulator/gateway-process.ts';
import { newId } from '../../support/ask.ts';
import { type NodeGateway, startNode } from '../../support/gateway.ts';
import { eventually } from '../../support/jobs.ts';
import { dial, headerIn, open, type RawAnswer, requestText, sendOn } from '../../support/raw-socket.ts';
import { answer, type RawUpstream, startRawUpstream } from '../../support/raw-upstream.ts';

const LIMIT = 64;

let stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.reverse()) await stop();
  stops = [];
});

async function startLimited(upstreamUrl: string): Promise<NodeGateway> {
  const gateway = await startNode(upstreamUrl, {}, { under: withLimit(`-n ${LIMIT}`) });
  stops.push(async () => {
    gateway.process.kill('SIGKILL');
    await gateway.exited;
  });
  return gateway;
}

/** One request over a connection that stands already. */
async function get(socket: Socket, path: string): Promise<RawAnswer> {
  const answer = await sendOn(socket, requestText(path), { withinMs: 10_000 });
  if (typeof answer === 'string') throw new Error(answer);
  return answer;
}
const lookup = (socket: Socket, id: string) => get(socket, `/api/v1/invocations/${id}`);

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
    const caller = await dial(gateway.url);
    const known = newId();
    if (when === 'asked before') expect((await lookup(caller, known)).status).toBe(200);
    const before = upstream.requests();

    // Idle callers take all that is left; who comes after them is closed at once.
    const crowd = await Promise.all(Array.from({ length: LIMIT }, () => open(gateway.url)));
    await eventually(() => crowd.some((each) => each.isClosed()), 5_000);
    for (let i = 0; i < 25; i++) {
      const { status, head, body } = await lookup(caller, newId());
      expect([status, body.toString()]).toEqual([
        503,
        expect.stringContaining('"error":"upstream_unavailable"'),
      ]);
      expect(headerIn(head, 'retry-after')).toMatch(/^[1-5]$/);
    }
    if (when === 'asked before') expect((await lookup(caller, known)).status).toBe(200);
    expect((await get(caller, '/readyz')).body.toString()).toContain('"breaker":"closed"');
    expect(upstream.requests()).toBe(before);
    const failed = gateway.logs().filter(({ msg }) => msg === 'upstream call failed');
    expect(failed).toHaveLength(25); // one call each, no storm
    for (const line of failed) expect(line).toMatchObject({ reason: 'local', phase: 'connect' });
    expect(gateway.logs().some(({ code }) => code === 'internal')).toBe(false);

    for (const { socket } of crowd) socket.destroy();
    await eventually(
      () => lookup(caller, newId()),
      10_000,
      ({ status }) => status === 200,
    );
    caller.destroy();
  });
});
