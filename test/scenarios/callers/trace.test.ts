/** A caller's `traceparent` (contract §8): in the log line of its request, and nowhere else. */
import { describe, expect, it } from 'vitest';
import { ask, askAt, newId } from '../../support/ask.ts';
import { type LogLine, RUNTIMES } from '../../support/gateway.ts';
import { converse, getWith, requestText } from '../../support/raw-socket.ts';
import { useSimulated } from '../../support/simulated-rig.ts';
import { eventsPath, lineOf, QUICK, useStreams, wait } from '../../support/watching.ts';

const PARENT = '00f067aa0ba902b7';
const traceparentOf = (traceId: string) => `00-${traceId}-${PARENT}-01`;
const newTrace = () => newId().replaceAll('-', '');

describe.each(RUNTIMES)('traceparent on %s', (runtime) => {
  const { simulator, gateway } = useSimulated(runtime, {
    ...QUICK,
    CORS_ORIGINS: '*',
    UPSTREAM_TIMEOUT_MS: '2000',
  });
  const stream = useStreams();
  let number = 0;

  /** Headers of a request in a trace, and what finds its line. */
  function traced() {
    const traceId = newTrace();
    const requestId = `trace-${String(number++).padStart(4, '0')}`;
    const headers = { traceparent: traceparentOf(traceId), 'x-request-id': requestId };
    return { traceId, headers, line: (): Promise<LogLine> => lineOf(gateway, requestId) };
  }

  it('a miss, a hit, a 304, an error and a preflight: the trace id is in each line', async () => {
    const id = simulator.addJob({ state: 'complete' });
    const { headers: answer } = await ask(gateway.url, id);
    const asks: ((headers: Record<string, string>) => Promise<unknown>)[] = [
      (headers) => ask(gateway.url, newId(), { headers }),
      (headers) => ask(gateway.url, id, { headers }),
      (headers) => ask(gateway.url, id, { headers: { ...headers, 'if-none-match': answer.get('etag')! } }),
      (headers) => ask(gateway.url, 'no-uuid', { headers }),
      (headers) => askAt(`${gateway.url}/nowhere`, { headers }),
      (headers) => ask(gateway.url, id, { method: 'OPTIONS', headers }),
      (headers) => ask(gateway.url, id, { method: 'POST', headers }),
    ];
    for (const send of asks) {
      const { traceId, headers, line } = traced();
      await send(headers);
      expect((await line()).traceId).toBe(traceId);
    }
  });

  it('a wait and a stream: in the line that is written when they end', async () => {
    const id = simulator.addJob({ state: 'processing' });
    const [waits, streams] = [traced(), traced()];
    const opened = await stream(gateway.url, [id], streams.headers);
    const waited = wait(gateway.url, id, 'wait=20', waits.headers);
    await opened.until(({ event }) => event === 'invocation');
    simulator.addJob({ id, state: 'complete' });
    await waited;
    await opened.ended;
    expect(await waits.line()).toMatchObject({ traceId: waits.traceId });
    expect(await streams.line()).toMatchObject({ traceId: streams.traceId, reason: 'settled' });
  });

  it('none of it reaches upstream, an answer, or another line', async () => {
    simulator.forgetRequests();
    const id = simulator.addJob({ state: 'complete' });
    const { traceId, headers, line } = traced();
    const bytes = requestText(`/api/v1/invocations/${id}`, {
      ...headers,
      tracestate: 'vendor=hidden-value',
      Connection: 'close',
    });
    const { text } = await converse(gateway.url, bytes);
    const streamed = requestText(eventsPath([id]), { ...headers, Connection: 'close' });
    const { text: events } = await converse(gateway.url, streamed);
    await line();
    expect(text + events).not.toMatch(new RegExp(`${traceId}|${PARENT}|traceparent|tracestate`, 'i'));
    const sent = simulator.requests().filter(({ path }) => path.includes(id));
    expect(sent).toHaveLength(1);
    expect(JSON.stringify(sent)).not.toMatch(new RegExp(`${traceId}|${PARENT}|trace|hidden-value`, 'i'));
    const others = gateway.logs().filter(({ msg }) => msg !== 'request');
    expect(JSON.stringify(others)).not.toContain(traceId);
    expect(gateway.printed()).not.toMatch(new RegExp(`${PARENT}|hidden-value`));
  });

  /** The line of a request with exactly these `traceparent` headers. */
  async function lineWith(values: readonly string[]): Promise<LogLine> {
    const requestId = `trace-${String(number++).padStart(4, '0')}`;
    const lines = [`x-request-id: ${requestId}`, ...values.map((value) => `traceparent: ${value}`)];
    await getWith(gateway.url, '/nowhere', ['Host: localhost', ...lines]);
    return lineOf(gateway, requestId);
  }

  it.each<[string, string[]]>([
    ['no header', []],
    ['two', [traceparentOf('a'.repeat(32)), traceparentOf('a'.repeat(32))]],
    ['one that does not parse', [`00-${'a'.repeat(31)}-${PARENT}-01`]],
  ])('%s: no trace id', async (_what, values) => {
    expect(await lineWith(values)).not.toHaveProperty('traceId');
  });

  it('what a later version may add is not read, whatever it is', async () => {
    const line = await lineWith([`01-${'a'.repeat(32)}-${PARENT}-01-","level":"fatal`]);
    expect(line).toMatchObject({ traceId: 'a'.repeat(32), level: 'info' });
  });
});
