/**
 * How a grant is shown, and what is none for want of it (faults #24, #29, #33, #51), end to end. Raw sockets, for
 * what no client would send.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { RUNTIMES, TOKEN } from '../../support/gateway.ts';
import { bearer, GRANT_ENV, grantFor, SECRET } from '../../support/grants.ts';
import { converse, getWith, statuses } from '../../support/raw-socket.ts';
import { APP, askAs, expectRefused, INVALID, lineOf, NO_TOKEN } from '../../support/refusals.ts';
import { useSimulated } from '../../support/simulated-rig.ts';

describe.each(RUNTIMES)('showing a grant on %s', (runtime) => {
  const { simulator, gateway } = useSimulated(runtime, { ...GRANT_ENV, CORS_ORIGINS: APP });
  /** A job in every tier, so that only the grant stands between it and a caller. */
  let known: string;
  let etag: string;
  beforeAll(async () => {
    known = simulator.addJob({ state: 'complete' });
    const first = await askAs(gateway, known, bearer(grantFor('*')));
    expect(first.status).toBe(200);
    etag = first.headers.get('etag')!;
  });
  const refused = (headers: Record<string, string>, challenge: string, id = known) =>
    expectRefused({ gateway, simulator }, id, headers, challenge);
  /** A whole request as bytes, known job, closed after its answer. */
  const raw = (lines: readonly string[], path = `/api/v1/invocations/${known}`) =>
    getWith(gateway.url, path, ['Host: a', ...lines]);

  it('#33 #51 no grant, an empty one, or one of another scheme: 401, asked and looked up nothing', async () => {
    const good = grantFor('*');
    const none: Record<string, string>[] = [
      {},
      { authorization: '' },
      { authorization: '', 'x-chroma-token': '' },
      { authorization: `Basic ${good}` },
      { authorization: good },
      { authorization: `XBearer ${good}` },
      { cookie: `access_token=${good}`, 'proxy-authorization': `Bearer ${good}` },
    ];
    for (const headers of none) {
      await refused(headers, NO_TOKEN);
      await refused(headers, NO_TOKEN, simulator.addJob());
      await refused({ ...headers, 'if-none-match': etag }, NO_TOKEN);
    }
    const head = await askAs(gateway, known, {}, 'HEAD');
    expect([head.status, head.text, head.headers.get('www-authenticate')]).toEqual([401, '', NO_TOKEN]);
  });

  it('#33 two grants are none, however they come', async () => {
    const good = grantFor('*');
    const other = grantFor('*');
    for (const lines of [
      [`Authorization: Bearer ${good}`, `Authorization: Bearer ${good}`],
      [`Authorization: Bearer ${good}`, `authorization: Bearer ${other}`],
      [`Authorization: Bearer ${good}`, 'Authorization: Basic dXNlcjpwYXNz'],
      [`Authorization: Bearer ${good}, Bearer ${good}`],
      [`x-chroma-token: ${good}`, `X-Chroma-Token: ${good}`],
      [`Authorization: Bearer ${good}`, `x-chroma-token: ${other}`],
    ]) {
      const text = await raw(lines);
      expect(statuses(text), lines.join('\n')).toEqual([401]);
      expect(text).toMatch(/^www-authenticate: Bearer error="invalid_token"\r?$/im);
    }
    const same = await raw([`Authorization: Bearer ${good}`, `x-chroma-token: ${good}`]);
    expect(statuses(same)).toEqual([200]);
  });

  it('#33 #44 what one header has shown before is not good for the other: both are looked at each time', async () => {
    const mine = grantFor({ invocations: [known] });
    const other = grantFor({ invocations: [simulator.addJob()] });
    for (const headers of [
      bearer(mine),
      { 'x-chroma-token': mine },
      { ...bearer(mine), 'x-chroma-token': mine },
    ]) {
      for (let round = 0; round < 2; round++) expect((await askAs(gateway, known, headers)).status).toBe(200);
    }
    await refused({ ...bearer(mine), 'x-chroma-token': other }, INVALID);
    await refused({ ...bearer(other), 'x-chroma-token': mine }, INVALID);
    await refused({ authorization: 'Bearer', 'x-chroma-token': mine }, INVALID);
    await refused({ authorization: mine }, NO_TOKEN);
    await refused({}, NO_TOKEN);
    for (const headers of [bearer(other), { 'x-chroma-token': other }]) {
      expect((await askAs(gateway, known, headers)).status).toBe(404);
    }
  });

  it('#33 a grant in the query is no grant, and neither is ever logged', async () => {
    const good = grantFor('*');
    for (const name of ['access_token', 'token', 'authorization', 'x-chroma-token']) {
      await refused({}, NO_TOKEN, `${known}?${name}=${good}`);
    }
    const answered = await askAs(gateway, `${known}?access_token=${good}`, bearer(good));
    expect(answered.status).toBe(200);
    await lineOf(gateway, answered.requestId);
    expect(gateway.printed()).not.toContain('access_token');
    expect(gateway.printed()).not.toContain('eyJ');
  });

  it('#24 #29 no header of the caller makes a grant, takes one away, or goes upstream', async () => {
    const good = grantFor('*');
    await refused({ x_chroma_token: good, 'x-target-url': 'http://evil.example' }, NO_TOKEN);
    const listed = 'Connection: x-chroma-token, authorization, x-request-id';
    const path = `/api/v1/invocations/${simulator.addJob()}`;
    const send = async (lines: string) =>
      (await converse(gateway.url, `GET ${path} HTTP/1.1\r\nHost: a\r\n${lines}\r\n\r\n`)).text;
    const before = simulator.count();
    expect(statuses(await send(`${listed}, close`))).toEqual([401]);
    expect(statuses(await send(`${listed}, close\r\nAuthorization: Bearer ${SECRET}`))).toEqual([401]);
    expect(simulator.count()).toBe(before);
    const text = await send(`${listed}, close\r\nx-chroma-token: ${good}\r\nX_Chroma_Token: ${TOKEN}`);
    expect(statuses(text)).toEqual([200]);
    expect(simulator.count() - before).toBe(1);
    const { headers, rawHeaders } = simulator.requests().at(-1)!;
    expect(rawHeaders.filter((name) => /^x.chroma.token$/i.test(name))).toHaveLength(1);
    expect(headers['x-chroma-token']).toBe(TOKEN);
    expect(rawHeaders.join('\n')).not.toMatch(/authorization|eyJ/i);
  });
});
