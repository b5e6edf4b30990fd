/** What a stream is asked for by: its path and its query, as they came (contract §10), and `Last-Event-ID`. */
import { describe, expect, it } from 'vitest';
import { askAt, newId } from '../../support/ask.ts';
import { RUNTIMES } from '../../support/gateway.ts';
import { useSimulated } from '../../support/simulated-rig.ts';
import { eventsPath, useStreams } from '../../support/watching.ts';

const ORIGIN = 'https://app.example';

describe.each(RUNTIMES)('on %s', (runtime) => {
  const stream = useStreams();
  const { simulator, gateway } = useSimulated(runtime, { CORS_ORIGINS: ORIGIN });
  const at = (query: string, init?: RequestInit) =>
    askAt(`${gateway.url}/api/v1/invocations/events${query}`, init);

  it('its path is that path, byte for byte', async () => {
    const query = `?id=${newId()}`;
    for (const [path, status, code] of [
      ['events/', 404, 'unknown_route'],
      ['events/x', 404, 'unknown_route'],
      ['EVENTS', 400, 'invalid_id'],
      ['Events', 400, 'invalid_id'],
      ['%65vents', 400, 'invalid_id'],
      ['events;', 400, 'invalid_id'],
    ] as const) {
      const other = await askAt(`${gateway.url}/api/v1/invocations/${path}${query}`);
      expect([path, other.status, other.error.error]).toEqual([path, status, code]);
    }
  });

  it('the query is read as it came: an encoded character is no part of an id or a name', async () => {
    const id = newId();
    const encoded = `%${id.charCodeAt(0).toString(16)}${id.slice(1)}`;
    for (const [query, code] of [
      ['', 'invalid_request'],
      ['?', 'invalid_request'],
      ['?ids=1&ID=2&xid=3', 'invalid_request'],
      [`?%69d=${id}`, 'invalid_request'],
      ['?id', 'invalid_id'],
      ['?id=', 'invalid_id'],
      [`?id=${encoded}`, 'invalid_id'],
      [`?id=${id},${id}`, 'invalid_id'],
      [`?id=${id}+`, 'invalid_id'],
      [`?id=${id}&id=x`, 'invalid_id'],
      [`?id=${id}=`, 'invalid_id'],
      [`?id=${id.replaceAll('-', '')}`, 'invalid_id'],
    ] as const) {
      const { status, error } = await at(query);
      expect([query, status, error.error]).toEqual([query, 400, code]);
    }
  });

  it('#169 51 ids are 400; one of them twice, in any case, is once; upper case is the same job', async () => {
    const ids = Array.from({ length: 51 }, () => simulator.addJob({ state: 'complete' }));
    const over = await askAt(`${gateway.url}${eventsPath(ids)}`);
    expect([over.status, over.error.error]).toEqual([400, 'invalid_request']);
    const named = [...ids.slice(1), ...ids.slice(1).map((id) => id.toUpperCase())];
    const opened = await stream(gateway.url, [...named, ids[1]!]);
    expect(opened.status).toBe(200);
    await opened.ended;
    const seen = opened.events.slice(0, -1).map(({ data }) => (JSON.parse(data) as { id: string }).id);
    expect(seen.toSorted()).toEqual(ids.slice(1).toSorted());
    expect(opened.events.at(-1)!.event).toBe('end');
  });

  it('other parameters change nothing', async () => {
    const id = simulator.addJob({ state: 'complete' });
    const opened = await at(`?&lastEventId=end&id=${id}&x=%zz&wait&=&%69d=no&`);
    expect(opened.status).toBe(200);
    expect(opened.text).toMatch(/^event: invocation$/m);
  });

  it('#169 Last-Event-ID: end is answered 204; any other is not looked at', async () => {
    const id = simulator.addJob({ state: 'complete' });
    const headers = { 'last-event-id': 'end', origin: ORIGIN };
    const done = await at(`?id=${id}`, { headers });
    expect([done.status, done.text]).toEqual([204, '']);
    expect(done.headers.get('access-control-allow-origin')).toBe(ORIGIN);
    expect(done.headers.get('content-type')).toBeNull();
    expect(simulator.count(id)).toBe(0);
    for (const other of ['END', 'end2', '1']) {
      expect((await at(`?id=${id}`, { headers: { 'last-event-id': other } })).status).toBe(200);
    }
  });
});
