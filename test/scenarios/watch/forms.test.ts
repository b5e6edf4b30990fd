/** The forms that a wait and a stream may come in: preferences, paths, versions of HTTP (contract §9, §10). */
import { describe, expect, it } from 'vitest';
import { RUNTIMES } from '../../support/gateway.ts';
import { eventually } from '../../support/jobs.ts';
import { headerIn, headersIn, open, statuses } from '../../support/raw-socket.ts';
import { useSimulated } from '../../support/simulated-rig.ts';
import { eventsPath, QUICK, wait } from '../../support/watching.ts';

const HIT = 'chroma-sync-gateway; hit';

describe.each(RUNTIMES)('on %s', (runtime) => {
  const { simulator, gateway } = useSimulated(runtime, QUICK);
  const pending = () => simulator.addJob({ state: 'pending' });

  it.each([
    ['wait=7', 'wait=7'],
    ['wait=25', 'wait=25'],
    ['wait=26', 'wait=25'],
    ['wait=999999999', 'wait=25'],
    ['WAIT = "07"', 'wait=7'],
    ['respond-async, wait=7; x="a, wait=3"', 'wait=7'],
    ['foo="wait=3", wait=7, wait=9', 'wait=7'],
    ['wait=0', null],
    ['wait=-1', null],
    ['wait=1.5', null],
    ['wait=soon', null],
    ['wait', null],
    ['wait=', null],
    ['waiting=7', null],
    ['return=minimal', null],
  ])('Prefer: %s is applied as %s', async (prefer, applied) => {
    const id = simulator.addJob({ state: 'complete' });
    const { headers } = await wait(gateway.url, id, prefer);
    expect(headers.get('preference-applied')).toBe(applied);
  });

  it('several header lines are one list, and what is no preference is an ordinary lookup', async () => {
    const id = pending();
    const { socket, text, closed } = await open(gateway.url);
    socket.write(
      `GET /api/v1/invocations/${id} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n` +
        'Prefer: respond-async\r\nPrefer: wait=1\r\n\r\n',
    );
    await closed;
    expect(statuses(text())).toEqual([200]);
    expect(headerIn(text(), 'preference-applied')).toBe('wait=1');
    const none = await wait(gateway.url, id, 'wait=0');
    expect([none.status, none.tookMs < 3_000]).toEqual([200, true]);
  });

  it.each([
    ['a query behind the id', (id: string) => `/api/v1/invocations/${id}?wait=3&x=%zz`],
    ['an absolute target', (id: string) => `http://elsewhere.example/api/v1/invocations/${id}`],
    ['upper case', (id: string) => `/api/v1/invocations/${id.toUpperCase()}`],
  ])('#171 the same through %s', async (_form, target) => {
    const id = pending();
    const { socket, text, closed } = await open(gateway.url);
    socket.write(
      `GET ${target(id)} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nPrefer: wait=20\r\n\r\n`,
    );
    await simulator.arrived(2, id);
    simulator.script(id, [{ type: 'state', state: 'cancelled' }]);
    await closed;
    expect(statuses(text())).toEqual([200]);
    expect(headersIn(text())).toMatchObject({ 'preference-applied': 'wait=20', 'cache-status': HIT });
    expect(text()).toContain('"cancelled"');
  });

  it.each([
    ['as it is', ''],
    ['an absolute target', 'http://elsewhere.example'],
  ])('a stream through %s', async (_form, origin) => {
    const id = pending();
    const { socket, text, closed } = await open(gateway.url);
    const target = origin + eventsPath([id.toUpperCase()]);
    socket.write(`GET ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
    await simulator.arrived(2, id);
    simulator.script(id, [{ type: 'state', state: 'complete' }]);
    await closed;
    expect(statuses(text())).toEqual([200]);
    expect(headersIn(text())).toMatchObject({
      'content-type': 'text/event-stream',
      'transfer-encoding': 'chunked',
    });
    expect(text().match(/^event: \w+/gm)).toEqual(['event: invocation', 'event: invocation', 'event: end']);
  });

  // workerd itself answers nothing to HTTP/1.0.
  it.runIf(runtime === 'node')('#169 over HTTP/1.0 a stream has no framing but its end', async () => {
    const id = pending();
    const { socket, text, closed } = await open(gateway.url);
    socket.write(`GET ${eventsPath([id])} HTTP/1.0\r\nHost: localhost\r\n\r\n`);
    await simulator.arrived(2, id);
    simulator.script(id, [{ type: 'state', state: 'complete' }]);
    await closed;
    expect(statuses(text())).toEqual([200]);
    expect(headersIn(text())).not.toHaveProperty('transfer-encoding');
    expect(headersIn(text())).not.toHaveProperty('content-length');
    const body = text().slice(text().indexOf('\r\n\r\n') + 4);
    expect(body).toMatch(/^retry: \d{4}\n\nevent: invocation\ndata: \{[^\n]*\}\n\n/);
    expect(body.endsWith('event: end\nid: end\ndata: {"reason":"settled"}\n\n')).toBe(true);
  });

  it('after a stream a kept connection takes the next request', async () => {
    const id = simulator.addJob({ state: 'complete' });
    const { socket, text } = await open(gateway.url);
    const host = 'Host: localhost\r\n\r\n';
    socket.write(
      `GET ${eventsPath([id])} HTTP/1.1\r\n${host}GET /api/v1/invocations/${id} HTTP/1.1\r\n${host}`,
    );
    expect(
      await eventually(
        () => statuses(text()).length,
        5_000,
        (count) => count === 2,
      ),
    ).toBe(2);
    expect(text()).toMatch(/"settled"[\s\S]*HTTP\/1\.1 200 [\s\S]*"complete"/);
    socket.destroy();
  });
});
