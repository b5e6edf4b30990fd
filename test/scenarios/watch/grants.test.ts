/** What a grant covers, and when it ends, for those who watch and wait (contract §7, §9, §10). */
import { describe, expect, it } from 'vitest';
import { ask, newId } from '../../support/ask.ts';
import { RUNTIMES } from '../../support/gateway.ts';
import { bearer, claimsNow, GRANT_ENV, grantFor } from '../../support/grants.ts';
import { useSimulated } from '../../support/simulated-rig.ts';
import { mint } from '../../support/tokens.ts';
import { lineOf, QUICK, useStreams, wait } from '../../support/watching.ts';

/** Contract §7. */
const LEEWAY_S = 30;
/** A grant that ends, leeway and all, in so many seconds. */
const endsIn = (seconds: number, read: unknown = '*') =>
  bearer(mint(claimsNow(seconds - LEEWAY_S, { read })));

describe.each(RUNTIMES)('on %s', (runtime) => {
  const { simulator, gateway } = useSimulated(runtime, { ...GRANT_ENV, ...QUICK });
  const stream = useStreams();
  const REQUEST_ID = 'one-for-all';
  /** The one event of a stream on this job, the job’s id aside. */
  async function missing(id: string, headers: Readonly<Record<string, string>>): Promise<string> {
    const opened = await stream(gateway.url, [id], { ...headers, 'x-request-id': REQUEST_ID });
    await opened.ended;
    expect(opened.events.map(({ event }) => event)).toEqual(['missing', 'end']);
    return opened
      .text()
      .replace(/^retry: \d+$/m, '')
      .replaceAll(id, 'ID');
  }

  it('#166 what a grant does not cover is missing, byte for byte as what is not there', async () => {
    const [mine, other, collection] = [
      newId(),
      simulator.addJob({ state: 'complete' }),
      simulator.addJob({ state: 'pending', collectionName: 'theirs' }),
    ];
    const none = newId();
    const absent = await missing(none, bearer(grantFor('*')));
    expect(await missing(other, bearer(grantFor({ invocations: [mine] })))).toBe(absent);
    expect(simulator.count(other)).toBe(0);
    expect(await missing(collection, bearer(grantFor({ collections: ['ours'] })))).toBe(absent);
    expect(await missing(none, bearer(grantFor({ collections: ['ours'] })))).toBe(absent);
    const lookup = await ask(gateway.url, other, {
      headers: { ...bearer(grantFor({ invocations: [mine] })), 'x-request-id': REQUEST_ID },
    });
    const data = /^data: (.*)$/m.exec(absent)![1]!;
    expect(JSON.parse(data)).toEqual({ ...lookup.error, id: 'ID' });
  });

  it('#166 the caller sees its own jobs of a stream, and each caller its own', async () => {
    const ours = simulator.addJob({ state: 'complete', collectionName: 'ours' });
    const theirs = simulator.addJob({ state: 'complete', collectionName: 'theirs' });
    for (const [name, seen, hidden] of [
      ['ours', ours, theirs],
      ['theirs', theirs, ours],
    ] as const) {
      const opened = await stream(gateway.url, [ours, theirs], bearer(grantFor({ collections: [name] })));
      await opened.ended;
      const of = (id: string) =>
        opened.events.filter(({ data }) => data.includes(id)).map(({ event }) => event);
      expect([of(seen), of(hidden)]).toEqual([['invocation'], ['missing']]);
    }
  });

  it('#166 a job that turns out to be in another collection later is missing from then on', async () => {
    const id = simulator.addJob({ state: 'pending', collectionName: 'ours' });
    const opened = await stream(gateway.url, [id], bearer(grantFor({ collections: ['ours'] })));
    await opened.until(({ event }) => event === 'invocation');
    simulator.addJob({ id, state: 'processing', collectionName: 'theirs' });
    await opened.ended;
    expect(opened.events.map(({ event }) => event)).toEqual(['invocation', 'missing', 'end']);
    expect(opened.text()).not.toContain('theirs');
  });

  it('#166 the stream ends with its grant: end for expired, within a second', async () => {
    const id = simulator.addJob({ state: 'pending' });
    const requestId = newId();
    const endsAt = performance.now() + 2_000;
    const opened = await stream(gateway.url, [id], { ...endsIn(2), 'x-request-id': requestId });
    await opened.ended;
    expect(performance.now() - endsAt).toBeGreaterThan(-100);
    expect(performance.now() - endsAt).toBeLessThan(1_000);
    expect(
      opened.events.map(({ event, data, id: line }) => [event, event === 'end' ? data : '', line]),
    ).toEqual([
      ['invocation', '', undefined],
      ['end', '{"reason":"expired"}', undefined],
    ]);
    expect(await lineOf(gateway, requestId)).toMatchObject({ status: 200, events: 1, reason: 'expired' });
    expect(
      (await fetch(`${gateway.url}/api/v1/invocations/events?id=${id}`, { headers: endsIn(0) })).status,
    ).toBe(401);
  });

  it('a wait ends with its grant: 401 that says expired, within a second', async () => {
    const id = simulator.addJob({ state: 'pending' });
    const { status, error, headers, tookMs } = await wait(gateway.url, id, 'wait=20', endsIn(1.5));
    expect([status, error.error]).toEqual([401, 'unauthorized']);
    expect(headers.get('www-authenticate')).toBe('Bearer error="invalid_token", error_description="expired"');
    expect(headers.get('preference-applied')).toBeNull();
    expect(tookMs).toBeGreaterThan(1_300);
    expect(tookMs).toBeLessThan(2_500);
  });

  it('a wait for what is not covered is the 404 of a lookup, at once', async () => {
    const id = simulator.addJob({ state: 'pending', collectionName: 'theirs' });
    for (const read of [{ collections: ['ours'] }, { invocations: [newId()] }]) {
      const { status, error, tookMs } = await wait(gateway.url, id, 'wait=20', bearer(grantFor(read)));
      expect([status, error.error]).toEqual([404, 'not_found']);
      expect(tookMs).toBeLessThan(3_000);
    }
  });
});
