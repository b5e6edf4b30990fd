/** The summary view (contract §11), end to end: in lookups, waits and streams, and beside callers who see everything. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Asked, ask } from '../../support/ask.ts';
import { RUNTIMES } from '../../support/gateway.ts';
import { bearer, claimsNow, GRANT_ENV, grantFor } from '../../support/grants.ts';
import { APP, expectRefused, INVALID } from '../../support/refusals.ts';
import { useSimulated } from '../../support/simulated-rig.ts';
import { mint } from '../../support/tokens.ts';
import { QUICK, QUICK_MS, said, useStreams, wait } from '../../support/watching.ts';

const SOURCE = '7d793037-a076-4c1b-9f5d-0c3e1f8e2b6a';
const narrow = (read: unknown = '*') => bearer(grantFor(read, { view: 'summary' }));
const full = () => bearer(grantFor('*', { view: 'full' }));

/** Names and texts that a summary must not hold, whatever field they come in. */
const SECRETS = ['canary', SOURCE, 'github', 'branch', 's3', 'bucket', 'source could not be read'];

function expectNoSecret({ text, headers }: Pick<Asked, 'text' | 'headers'>): void {
  for (const secret of SECRETS) expect(`${text}${[...headers].join('\n')}`).not.toContain(secret);
}

describe.each(RUNTIMES)('#201 the summary view on %s', (runtime) => {
  const { simulator, gateway } = useSimulated(runtime, { ...GRANT_ENV, ...QUICK, CORS_ORIGINS: APP });
  const openStream = useStreams();
  const addJob = (state: 'pending' | 'complete' | 'failed') =>
    simulator.addJob({
      state,
      kind: 's3',
      sourceId: SOURCE,
      databaseName: 'canary-database',
      collectionName: 'canary-collection',
      detail: { bucket_name: 'canary-bucket', object_key: 'canary/key', additional_metadata: { canary: 1 } },
    });
  const summaryOf = (id: string, status: unknown) =>
    expect.stringMatching(
      new RegExp(
        `^\\{"id":"${id}","source_id":null,"status":${JSON.stringify(status).replace(/[{}]/g, '\\$&')},"created_at":"[0-9TZ:.-]+","metadata":\\{\\}\\}$`,
      ),
    );

  it('shows a job without its source, its names and its error, with the ETag and length of what was sent', async () => {
    for (const [state, status] of [
      ['pending', 'pending'],
      ['failed', { failed: { error: 'failed' } }],
    ] as const) {
      const id = addJob(state);
      const seen = await ask(gateway.url, id, { headers: narrow() });
      expect([seen.status, seen.text]).toEqual([200, summaryOf(id, status)]);
      expectNoSecret(seen);
      expect(seen.headers.get('content-length')).toBe(String(seen.text.length));
      const head = await ask(gateway.url, id, { method: 'HEAD', headers: narrow() });
      expect([head.headers.get('content-length'), head.headers.get('etag')]).toEqual([
        String(seen.text.length),
        seen.headers.get('etag'),
      ]);
    }
  });

  it('is one answer and two views: one call upstream, each caller’s own ETag, in any order', async () => {
    const id = addJob('complete');
    const [a, b, c, d] = [
      await ask(gateway.url, id, { headers: full() }),
      await ask(gateway.url, id, { headers: narrow() }),
      await ask(gateway.url, id, { headers: bearer(grantFor('*')) }),
      await ask(gateway.url, id, { headers: narrow({ invocations: [id] }) }),
    ];
    expect(simulator.count(id)).toBe(1);
    expect([a.text, b.text]).toEqual([c.text, d.text]);
    expect(a.text).toContain('canary-bucket');
    expectNoSecret(b);
    const [etag, other] = [b, a].map(({ headers }) => headers.get('etag')!) as [string, string];
    expect(etag).not.toBe(other);
    expect(b.headers.get('cache-control')).toBe('private, max-age=31536000, immutable');
    const ifNone = async (tag: string, headers: Record<string, string>) =>
      (await ask(gateway.url, id, { headers: { 'if-none-match': tag, ...headers } })).status;
    expect(await ifNone(etag, narrow())).toBe(304);
    expect(await ifNone(other, narrow())).toBe(200);
    expect(await ifNone(etag, full())).toBe(200);
    expect(await ifNone(other, full())).toBe(304);
  });

  it('covers what its grant covers, by source too, and nothing else', async () => {
    const id = addJob('complete');
    const seen = await ask(gateway.url, id, { headers: narrow({ sources: [SOURCE] }) });
    expect([seen.status, seen.text]).toEqual([200, expect.stringContaining('"source_id":null')]);
    const unseen = await ask(gateway.url, id, { headers: narrow({ databases: ['other'] }) });
    expect([unseen.status, unseen.error.error]).toEqual([404, 'not_found']);
  });

  it('is what a wait waits for: a change that is not seen ends none', async () => {
    const id = addJob('pending');
    const { headers } = await ask(gateway.url, id, { headers: narrow() });
    const etag = headers.get('etag')!;
    const waiting = wait(gateway.url, id, 'wait=20', { 'if-none-match': etag, ...narrow() });
    const metadata = { s3: { bucket_name: 'canary-moved' }, database_name: 'x', collection_name: 'y' };
    simulator.script(id, [{ type: 'patch', patch: { metadata } }]);
    await simulator.arrived(simulator.count(id) + 3, id);
    simulator.script(id, [{ type: 'state', state: 'failed' }]);
    const ended = await waiting;
    expect([ended.status, ended.text]).toEqual([200, summaryOf(id, { failed: { error: 'failed' } })]);
    expectNoSecret(ended);
    expect(ended.headers.get('etag')).not.toBe(etag);
  });

  it('is what a stream shows: each change that is seen, once, while another stream shows everything', async () => {
    const id = addJob('pending');
    const [seen, all] = [
      await openStream(gateway.url, [id], narrow()),
      await openStream(gateway.url, [id], full()),
    ];
    await Promise.all([seen, all].map((stream) => stream.until(({ event }) => event === 'invocation')));
    const metadata = { s3: { bucket_name: 'canary-moved' }, database_name: 'x', collection_name: 'y' };
    simulator.script(id, [{ type: 'patch', patch: { metadata, status: 'pending' } }]);
    await all.until(({ data }) => data.includes('canary-moved'));
    simulator.script(id, [{ type: 'state', state: 'failed' }]);
    await Promise.all([seen.ended, all.ended]);
    expect(seen.events.map(({ event, data }) => [event, data])).toEqual([
      ['invocation', summaryOf(id, 'pending')],
      ['invocation', summaryOf(id, { failed: { error: 'failed' } })],
      ['end', '{"reason":"settled"}'],
    ]);
    for (const secret of SECRETS) expect(seen.text()).not.toContain(secret);
    expect(said(all).map(([event]) => event)).toEqual(['invocation', 'invocation', 'invocation', 'end']);
    expect(all.events.at(-2)!.data).toContain('source could not be read');
  });

  it('is asked for in one word: any other refuses the grant, and says nothing of it', async () => {
    const id = addJob('complete');
    for (const view of ['Summary', 'summary ', 'SUMMARY', 'none', '', null, true, ['summary'], {}, 0]) {
      const grant = mint(claimsNow(60, { view }));
      await expectRefused({ gateway, simulator }, id, bearer(grant), INVALID);
    }
  });

  describe('while upstream fails', () => {
    beforeAll(() => simulator.heal());
    afterAll(() => simulator.heal());
    it('shows what is known as a summary, stale, in lookups and in a stream with its trouble', async () => {
      const id = addJob('pending');
      await ask(gateway.url, id, { headers: narrow() });
      simulator.script(id, [{ type: 'status', status: 500 }]);
      await new Promise((resolve) => setTimeout(resolve, 2 * QUICK_MS));
      const stale = await ask(gateway.url, id, { headers: narrow() });
      expect([stale.status, stale.text]).toEqual([200, summaryOf(id, 'pending')]);
      expect(stale.cacheStatus).toContain('stale-if-error');
      const stream = await openStream(gateway.url, [id], narrow());
      await stream.until(({ event }) => event === 'trouble');
      for (const secret of SECRETS) expect(stream.text()).not.toContain(secret);
    });
  });
});
