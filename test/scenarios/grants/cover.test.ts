/** What a good grant covers, and for how long it is remembered (faults #33 to #44), end to end. */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { newId } from '../../support/ask.ts';
import { RUNTIMES } from '../../support/gateway.ts';
import { bearer, claimsNow, GRANT_ENV, grantFor } from '../../support/grants.ts';
import { eventually } from '../../support/jobs.ts';
import { APP, askAs, EXPIRED, expectRefused, INVALID, lineOf } from '../../support/refusals.ts';
import { useSimulated } from '../../support/simulated-rig.ts';
import { encode, mint } from '../../support/tokens.ts';

const SOURCE = '7d793037-a076-4c1b-9f5d-0c3e1f8e2b6a';

describe.each(RUNTIMES)('what grants cover on %s', (runtime) => {
  const { simulator, gateway } = useSimulated(runtime, { ...GRANT_ENV, CORS_ORIGINS: APP });
  const addJob = () =>
    simulator.addJob({
      state: 'complete',
      sourceId: SOURCE,
      databaseName: 'production',
      collectionName: 'acme-docs',
    });
  const statusFor = async (read: unknown, id: string) =>
    (await askAs(gateway, id, bearer(grantFor(read)))).status;
  const refuses = (read: unknown, id: string) =>
    expectRefused({ gateway, simulator }, id, bearer(grantFor(read)), INVALID);

  it('a job is read by its id, its source, its database or its collection, cold and from the cache', async () => {
    for (const covering of [
      { sources: [SOURCE.toUpperCase()] },
      { databases: ['production'] },
      { collections: ['acme-docs'] },
      '*',
    ]) {
      const id = addJob();
      expect(await statusFor(covering, id), JSON.stringify(covering)).toBe(200);
      expect(await statusFor(covering, id)).toBe(200);
      expect(await statusFor({ invocations: [id] }, id)).toBe(200);
      for (const read of [
        { invocations: [newId(), SOURCE] },
        { sources: [id, newId()] },
        { databases: ['Production', 'acme-docs', 'prod', ''] },
        { collections: ['production', 'acme-*', '*'] },
        { prefixes: [id], invocation: [id] },
        {},
        undefined,
      ]) {
        expect(await statusFor(read, id), JSON.stringify(read)).toBe(404);
      }
    }
  });

  it('#41 ids match whole, case-folded, and nothing but them; a trick is no grant or covers nothing', async () => {
    const id = addJob();
    expect(await statusFor({ invocations: [id.toUpperCase()] }, id)).toBe(200);
    expect(await statusFor({ invocations: [id] }, id.toUpperCase())).toBe(200);
    const before = simulator.count();
    for (const trick of [
      id.slice(0, 8),
      id.slice(0, -1),
      `${id.slice(0, -1)}*`,
      `${id} `,
      `${id}\0`,
      `{${id}}`,
      `urn:uuid:${id}`,
      id.replaceAll('-', ''),
      `${newId()},${id}`,
      '*',
      '',
      '.*',
      '%',
    ]) {
      expect(await statusFor({ invocations: [trick] }, id), trick).toBe(404);
    }
    expect(simulator.count()).toBe(before);
    for (const read of [
      id,
      [id],
      ['*'],
      '**',
      '* ',
      '',
      null,
      true,
      { invocations: id },
      { invocations: '*' },
      { invocations: { 0: id, length: 1 } },
      { invocations: [[id]] },
      { invocations: [id, 1] },
      { databases: null },
    ]) {
      await refuses(read, id);
    }
  });

  it('#41 a thousand entries are the most; ten thousand ids do not even fit', async () => {
    const id = addJob();
    const fill = (count: number) => Array.from({ length: count }, () => 'x');
    expect(await statusFor({ invocations: [id], databases: fill(999) }, id)).toBe(200);
    await refuses({ invocations: [id], databases: fill(500), collections: fill(500) }, id);
    const many = mint(
      claimsNow(60, { read: { invocations: Array.from({ length: 150 }, newId).concat(id) } }),
    );
    expect((await askAs(gateway, id, bearer(many))).status).toBe(200);
    await refuses({ invocations: Array.from({ length: 200 }, newId).concat(id) }, id);
    const tooMany = grantFor({ invocations: Array.from({ length: 10_000 }, newId) });
    await askAs(gateway, id, bearer(tooMany)).then(
      ({ status }) => expect([401, 431]).toContain(status),
      () => expect(runtime).toBe('node'), // which may close on half a megabyte of headers before we have sent it
    );
  });

  it('a covered job is read with HEAD and If-None-Match, too; a mistake of the caller is told as such', async () => {
    const id = addJob();
    const grant = grantFor({ invocations: [id] });
    expect((await askAs(gateway, 'nope', bearer(grant))).error.error).toBe('invalid_id');
    expect((await askAs(gateway, id, bearer(grant), 'DELETE')).status).toBe(405);
    const head = await askAs(gateway, id, bearer(grant), 'HEAD');
    expect([head.status, head.text]).toEqual([200, '']);
    const again = await askAs(gateway, id, { ...bearer(grant), 'if-none-match': head.headers.get('etag')! });
    expect(again.status).toBe(304);
  });

  it('#44 equal claims but for `sub` are two grants; a forged end or a changed signature is none', async () => {
    const id = addJob();
    const claims = claimsNow(60, { sub: 'user-1' });
    const first = mint(claims);
    expect((await askAs(gateway, id, bearer(first))).status).toBe(200);
    expect((await askAs(gateway, id, bearer(first))).status).toBe(200);
    const narrow = mint({ ...claims, sub: 'user-2', read: { invocations: [newId()] } });
    expect((await askAs(gateway, id, bearer(narrow))).status).toBe(404);
    expect((await askAs(gateway, id, bearer(mint({ ...claims, sub: 'user-2' })))).status).toBe(200);

    const [header, body, signature = ''] = first.split('.');
    const flipped = `${signature[0] === 'A' ? 'B' : 'A'}${signature.slice(1)}`;
    const digest = createHash('sha256').update(first).digest('base64url');
    for (const token of [
      `${header}.${body}.${flipped}`,
      `${header}.${body}.${digest}`,
      `${header}.${encode({ ...claims, exp: 9_999_999_999 })}.${signature}`,
      `${encode({ alg: 'HS256', typ: 'JWT' })}.${body}.${signature}`,
    ]) {
      await expectRefused({ gateway, simulator }, id, bearer(token), INVALID);
    }
  });

  it('#44 a grant that ends while it is remembered is refused from then on, cached answers included', async () => {
    const id = addJob();
    const ending = mint(claimsNow(-28));
    const first = await askAs(gateway, id, bearer(ending));
    expect(first.status).toBe(200);
    expect((await askAs(gateway, id, bearer(ending))).cacheStatus).toBe('chroma-sync-gateway; hit');
    const refused = await eventually(
      () => askAs(gateway, id, { ...bearer(ending), 'if-none-match': first.headers.get('etag')! }),
      6_000,
      ({ status }) => status === 401,
    );
    expect(refused.headers.get('www-authenticate')).toBe(EXPIRED);
    expect(await lineOf(gateway, refused.requestId)).toMatchObject({ cache: 'none', status: 401 });
    await expectRefused({ gateway, simulator }, id, bearer(ending), EXPIRED);
  });
});
