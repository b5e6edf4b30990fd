import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSimulator, type Simulator } from '../../simulator/simulator.ts';
import { matchesSchema } from '../support/openapi/check.ts';

const ID = '3c90c3cc-0d44-4b50-8888-8dd25736052a';
const OTHER = '7d793037-a076-4c1b-9f5d-0c3e1f8e2b6a';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n';

let simulator: Simulator;

beforeEach(async () => {
  simulator = createSimulator({ token: 'made-up', keepRequests: 3 });
  await simulator.listen();
  simulator.addJob({ id: ID, state: 'processing' });
  simulator.addJob({ id: OTHER, state: 'processing' });
});
afterEach(() => simulator.close());

const lookUp = (id = ID, init: RequestInit = {}) =>
  fetch(simulator.invocationUrl(id), {
    headers: { 'x-chroma-token': 'made-up' },
    redirect: 'manual',
    ...init,
  });
const command = (name: string, body?: unknown) =>
  fetch(`${simulator.url}/_simulator/${name}`, {
    method: 'POST',
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
const statuses = async (count: number, id = ID) => {
  const seen: number[] = [];
  for (let i = 0; i < count; i += 1) seen.push((await lookUp(id)).status);
  return seen;
};

describe('faults', () => {
  it('hit the next so many requests, then the honest answer is back', async () => {
    simulator.fault({ type: 'status', status: 503 }, { id: ID, times: 2 });
    simulator.fault({ type: 'status', status: 500 }, { id: ID, times: 1 });
    expect(await statuses(4)).toEqual([503, 503, 500, 200]);
    expect(await statuses(1, OTHER)).toEqual([200]);
  });

  it('without a count stay until healed, for every id', async () => {
    simulator.fault({ type: 'status', status: 429, headers: { 'retry-after': '7' } });
    const response = await lookUp(OTHER);
    expect(response.headers.get('retry-after')).toBe('7');
    expect(matchesSchema('ErrorResponse', await response.json())).toEqual([]);
    expect(await statuses(3)).toEqual([429, 429, 429]);
    simulator.heal();
    expect(await statuses(2)).toEqual([200, 200]);
  });

  it('of an id come before those for everyone', async () => {
    simulator.fault({ type: 'status', status: 503 });
    simulator.fault({ type: 'status', status: 500 }, { id: ID, times: 1 });
    expect(await statuses(1, OTHER)).toEqual([503]);
    expect(await statuses(2)).toEqual([500, 503]);
  });

  it('can be any body, by text or by bytes', async () => {
    simulator.fault({ type: 'raw', body: '<html>', headers: { 'content-type': 'text/html' } }, { times: 1 });
    const page = await lookUp();
    expect([page.headers.get('content-type'), await page.text()]).toEqual(['text/html', '<html>']);
    simulator.fault({ type: 'raw', body: new Uint8Array([0xff, 0xfe]), status: 999 });
    const odd = await lookUp();
    expect([odd.status, [...(await odd.bytes())]]).toEqual([999, [0xff, 0xfe]]);
  });

  it('can be a redirect', async () => {
    simulator.fault({ type: 'redirect', location: 'https://elsewhere.example/', status: 307 });
    const response = await lookUp();
    expect([response.status, response.headers.get('location')]).toEqual([307, 'https://elsewhere.example/']);
  });

  it('can be silence, until the caller leaves', async () => {
    simulator.fault({ type: 'hang' }, { id: ID });
    const leave = new AbortController();
    const response = lookUp(ID, { signal: leave.signal });
    await simulator.arrived(1);
    expect(await statuses(1, OTHER)).toEqual([200]);
    expect(simulator.counts().concurrent).toBe(1);
    leave.abort();
    await expect(response).rejects.toThrow('aborted');
    await expect.poll(() => simulator.counts().concurrent).toBe(0);
  });

  it('can be a reset, before the first byte or in the middle of the body', async () => {
    simulator.fault({ type: 'reset' }, { times: 1 });
    await expect(lookUp()).rejects.toMatchObject({ cause: { code: 'ECONNRESET' } });
    simulator.fault({ type: 'wire', bytes: `${OK}half`, afterwards: 'reset' }, { times: 1 });
    await expect(lookUp().then((response) => response.text())).rejects.toThrow('terminated');
  });

  it('can be any bytes: cut short, dripped, or garbage', async () => {
    simulator.fault({ type: 'wire', bytes: `${OK}half` }, { times: 1 });
    await expect(lookUp().then((response) => response.text())).rejects.toThrow('terminated');
    simulator.fault({ type: 'wire', bytes: `${OK}0123456789`, byteEveryMs: 1 }, { times: 1 });
    expect(await (await lookUp()).text()).toBe('0123456789');
    simulator.fault({ type: 'wire', bytes: 'garbage' });
    await expect(lookUp()).rejects.toThrow('fetch failed');
  });
});

describe('scripts', () => {
  it('answer with their steps in order and repeat the last', async () => {
    simulator.script(ID, [
      { type: 'status', status: 404 },
      { type: 'state', state: 'pending' },
      { type: 'patch', patch: { status: 'paused' } },
      { type: 'state', state: 'complete' },
    ]);
    expect(await statuses(1)).toEqual([404]);
    const seen: unknown[] = [];
    for (let i = 0; i < 4; i += 1) seen.push(await (await lookUp()).json());
    const complete = { complete: expect.objectContaining({ duration_ms: 18_000 }) };
    expect(seen).toMatchObject(['pending', 'paused', complete, complete].map((status) => ({ status })));
  });

  it('wait while a fault is in the way, and make an unknown id a job', async () => {
    const id = 'aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee';
    simulator.script(id, [{ type: 'state', state: 'cancelled' }, { type: 'normal' }]);
    simulator.fault({ type: 'status', status: 502 }, { times: 1 });
    expect(await statuses(1, id)).toEqual([502]);
    expect(await (await lookUp(id)).json()).toMatchObject({ id, status: 'cancelled' });
    expect(await (await lookUp(id)).json()).toMatchObject({ id, status: 'pending' });
  });
});

describe('time', () => {
  it('a held answer is an old one: it says what was true when the request arrived', async () => {
    simulator.script(ID, [
      { type: 'state', state: 'processing' },
      { type: 'state', state: 'complete' },
    ]);
    simulator.hold({ id: ID });
    const early = lookUp();
    await simulator.arrived(1, ID);
    const late = lookUp();
    await simulator.arrived(2, ID);
    expect(simulator.counts().concurrent).toBe(2);
    simulator.release({ id: ID });
    expect(await (await early).json()).toMatchObject({ status: 'processing' });
    expect(await (await late).json()).toMatchObject({ status: { complete: {} } });
  });

  it('healing lets held requests go', async () => {
    simulator.hold();
    const held = lookUp(ID, { signal: AbortSignal.timeout(2_000) });
    await simulator.arrived(1);
    simulator.heal();
    expect((await held).status).toBe(200);
  });

  it('latency is added to every answer, an id has its own', async () => {
    simulator.latency(60_000);
    simulator.latency(0, { id: OTHER });
    expect(await statuses(1, OTHER)).toEqual([200]);
    await expect(lookUp(ID, { signal: AbortSignal.timeout(50) })).rejects.toThrow('timeout');
    simulator.latency(30, { id: ID });
    const start = performance.now();
    await lookUp();
    expect(performance.now() - start).toBeGreaterThan(25);
  });
});

describe('the count', () => {
  it('holds every request, refused ones included, but none to the control path', async () => {
    await lookUp(ID, { headers: {} });
    await lookUp(ID.toUpperCase());
    await lookUp(OTHER);
    await fetch(`${simulator.url}/nowhere`);
    await fetch(`${simulator.url}/_simulator/requests`);
    expect(simulator.counts()).toMatchObject({ total: 4, perId: { [ID]: 2, [OTHER]: 1 }, maxConcurrent: 1 });
    expect(simulator.requests().map((request) => request.path)).toEqual([
      `/api/v1/invocations/${ID.toUpperCase()}`,
      `/api/v1/invocations/${OTHER}`,
      '/nowhere',
    ]);
    expect(simulator.requests()[0]?.headers['x-chroma-token']).toBe('made-up');
  });

  it('knows how many requests were under way at once, in all and per id', async () => {
    simulator.hold();
    const asked = [lookUp(), lookUp(), lookUp(OTHER)];
    await simulator.arrived(3);
    simulator.release();
    await Promise.all(asked);
    await lookUp();
    expect(simulator.counts()).toMatchObject({
      total: 4,
      maxConcurrent: 3,
      maxConcurrentPerId: { [ID]: 2, [OTHER]: 1 },
    });
    await expect.poll(() => simulator.counts().concurrent).toBe(0);
    simulator.forgetRequests();
    expect([simulator.count(), simulator.count(ID), simulator.requests()]).toEqual([0, 0, []]);
  });
});

describe('the control path', () => {
  it('takes the same orders as the methods', async () => {
    const made = await (await command('jobs', { kind: 's3', state: 'failed' })).json();
    const { invocation_id } = made as { invocation_id: string };
    expect(await (await lookUp(invocation_id)).json()).toMatchObject({ status: { failed: {} } });
    await command('script', { id: ID, steps: [{ type: 'state', state: 'cancelled' }] });
    expect(await (await lookUp()).json()).toMatchObject({ status: 'cancelled' });
    await command('fault', { id: OTHER, times: 1, step: { type: 'raw', body: { base64: '//4=' } } });
    expect([...(await (await lookUp(OTHER)).bytes())]).toEqual([0xff, 0xfe]);
    await command('latency', { ms: 0 });
    await command('hold', { id: OTHER });
    const held = lookUp(OTHER);
    await simulator.arrived(2, OTHER);
    await command('release', { id: OTHER });
    expect((await held).status).toBe(200);
    await command('fault', { step: { type: 'status', status: 500 } });
    expect(await statuses(1)).toEqual([500]);
    expect((await command('heal')).status).toBe(204);
    expect(await statuses(1)).toEqual([200]);
  });

  it('tells the counts, the last requests, and a bare number for the shell', async () => {
    await lookUp();
    const told = await (await fetch(`${simulator.url}/_simulator/requests`)).json();
    expect(told).toMatchObject({ total: 1, last: [{ method: 'GET', path: `/api/v1/invocations/${ID}` }] });
    await lookUp(OTHER);
    expect(await (await fetch(`${simulator.url}/_simulator/count/${ID}`)).text()).toBe('1');
    expect(await (await fetch(`${simulator.url}/_simulator/count`)).text()).toBe('2');
    await fetch(`${simulator.url}/_simulator/requests`, { method: 'DELETE' });
    expect(await (await fetch(`${simulator.url}/_simulator/count`)).text()).toBe('0');
  });

  it('refuses an order that it does not understand', async () => {
    const wrong = await command('fault', { step: { type: 'explode' } });
    expect(wrong.status).toBe(400);
    expect((await command('latency', { ms: 'soon' })).status).toBe(400);
    expect((await command('nonsense')).status).toBe(404);
    expect(await statuses(1)).toEqual([200]);
  });
});
