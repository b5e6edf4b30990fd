/** How a stream's bytes lie on its connection, where the gateway writes HTTP/1.1's chunks by itself. */
import { expect, it } from 'vitest';
import { ask } from '../../support/ask.ts';
import { converse, requestText, statuses } from '../../support/raw-socket.ts';
import { useSimulated } from '../../support/simulated-rig.ts';

const { simulator, gateway } = useSimulated('node');
const streamOf = (...ids: string[]) =>
  requestText(`/api/v1/invocations/events?${ids.map((id) => `id=${id}`).join('&')}`);
const lookupOf = (id: string) => requestText(`/api/v1/invocations/${id}`);

it('#167 every chunk is as long as it says, whatever a job has in it, and the connection serves on', async () => {
  const plain = simulator.addJob({ state: 'complete' });
  const long = simulator.addJob({ state: 'failed', schedule: { error: 'ü€😀\u2028'.repeat(9_000) } });
  const { text } = await converse(gateway.url, streamOf(plain, long, plain) + lookupOf(plain), {
    until: (so) => statuses(so).length === 2 && so.endsWith('}'),
  });
  expect(statuses(text)).toEqual([200, 200]);
  const events = dechunked(text);
  expect(events.match(/^event: [a-z]+/gm)?.toSorted()).toEqual([
    'event: end',
    'event: invocation',
    'event: invocation',
  ]);
  const told = events.match(/^data: [^\n]*/gm)!.map((line) => JSON.parse(line.slice(6)) as { id?: string });
  expect(told.map(({ id }) => id)).toEqual(expect.arrayContaining([plain, long]));
  expect(events).toContain('ü€😀\u2028ü€😀');
});

it('a stream behind a slow answer of its connection waits for that, and then has all that is due', async () => {
  const watched = simulator.addJob({ state: 'complete' });
  await ask(gateway.url, watched); // known, so that nothing but the connection is waited for
  simulator.latency(300);
  const slow = simulator.addJob({ state: 'complete' });
  const { text } = await converse(gateway.url, lookupOf(slow) + streamOf(watched) + lookupOf(slow), {
    until: (so) => statuses(so).length === 3 && so.endsWith('}'),
  });
  simulator.latency(0);
  const [first, second, third] = text.split(/(?=HTTP\/1\.1 200 OK)/);
  expect(first).toContain(`"id":"${slow}"`);
  expect(dechunked(second!)).toMatch(
    new RegExp(`^retry: \\d+\n\nevent: invocation\ndata: {"id":"${watched}".*\n\nevent: end\n`),
  );
  expect(third).toContain(`"id":"${slow}"`);
});

/** The first answer's body; fails where a length is wrong. */
function dechunked(text: string): string {
  let rest = text.slice(text.indexOf('\r\n\r\n') + 4);
  let body = '';
  for (;;) {
    const [line = ''] = rest.split('\r\n', 1);
    expect(line).toMatch(/^[\da-f]+$/);
    const [from, length] = [line.length + 2, Number.parseInt(line, 16)];
    expect(rest.slice(from + length, from + length + 2)).toBe('\r\n');
    if (length === 0) return Buffer.from(body, 'latin1').toString();
    body += rest.slice(from, from + length);
    rest = rest.slice(from + length + 2);
  }
}
