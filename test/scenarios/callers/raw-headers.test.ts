/** Header lines no client sends (faults #22, #25): hosts, odd names, too many; and what they leave in the log (#129). */
import { describe, expect, it } from 'vitest';
import { ask } from '../../support/ask.ts';
import { RUNTIMES } from '../../support/gateway.ts';
import { useRawRig } from '../../support/raw-rig.ts';
import { bodyIn, converse, headersIn, statuses } from '../../support/raw-socket.ts';

const NOT_ON_WORKERD = {
  '#22 a 400': 'the edge owns Host; here it is shown that no Host changes anything',
  '#25 431': 'bounds on headers are the platform’s; here it is shown that none is cut and nothing breaks',
};
it.skip.each(Object.entries(NOT_ON_WORKERD))('on workerd: %s: %s', () => {});

const PATIENT = { timeout: 10_000 };
const SECOND = 'GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n';

describe.each(RUNTIMES)('raw headers on %s', (runtime) => {
  const rig = useRawRig(runtime);
  const isNode = runtime === 'node';

  it.each([
    'Host: a\r\nHost: b',
    'Host: a\r\nHost: a',
    'Host:',
    'Host: user@a',
    'Host: a/b',
    'Host: a b',
    'Host: a, b',
    'Host: a:99999999',
    'Host: a:65536',
    'Host: \xe9',
    'X: no host',
  ])('#22 %j: 400, or at least nothing else', async (headers) => {
    const before = rig.simulator.count();
    const answer = await rig.get(headers);
    if (isNode) expect(statuses(answer)).toEqual([400]);
    else expect([[200], [400], [404]]).toContainEqual(statuses(answer));
    if (statuses(answer)[0] === 200) expect(bodyIn(answer)).toBe(rig.text);
    expect(rig.simulator.count()).toBe(before);
  });

  it.each([
    'A.B',
    'a:0',
    'a:65535',
    '1.2.3.4.5:80',
    '0x7f.1:80',
    'xn--:80',
    '[::1]:80',
    '[0:0::1]:80',
    'a..b:80',
  ])('#22 Host: %s might be one, and no URL is made of it: answers as ever', async (host) => {
    expect(bodyIn(await rig.get(`Host: ${host}`))).toBe(rig.text);
    for (const target of [`/api/v1/invocations/nope`, '/nowhere', '/healthz']) {
      const { text: answer } = await rig.send(
        `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nX-Request-Id: any-host-0123\r\nConnection: close\r\n\r\n`,
      );
      expect([400, 404, 200]).toContain(statuses(answer)[0]);
      if (isNode) expect(headersIn(answer)['x-request-id']).toBe('any-host-0123');
    }
  });

  it.runIf(isNode)('#22 what the parser lets pass gets our own error, whole and logged', async () => {
    const answer = await rig.get('Host: a\r\nHost: b\r\nX-Request-Id: two-hosts-0123');
    expect(JSON.parse(bodyIn(answer))).toEqual({
      error: 'invalid_request',
      message: 'The request is malformed.',
      request_id: 'two-hosts-0123',
      retryable: false,
    });
    expect(headersIn(answer)).toMatchObject({
      vary: 'Origin, Authorization, x-chroma-token',
      connection: 'close',
    });
    await expect
      .poll(() => rig.gateway.logs().find(({ requestId }) => requestId === 'two-hosts-0123'), PATIENT)
      .toMatchObject({ status: 400, code: 'invalid_request', route: 'none', cache: 'none' });
    for (const [method, target] of [
      ['OPTIONS', '*'],
      ['GET', '\\x'],
      ['GET', '/a\\b'],
      ['GET', 'ftp://a/b'],
      ['GET', 'http:///x'],
      ['GET', 'http://a b/'],
    ]) {
      const sent = await rig.send(`${method} ${target} HTTP/1.1\r\nHost: a\r\n\r\n${SECOND}`);
      expect([target, statuses(sent.text), sent.closed]).toEqual([target, [400], true]);
    }
  });

  it('#25 headers named after what every object has are headers like others', async () => {
    const names = ['__proto__', 'constructor', 'hasOwnProperty', 'toString', 'then', 'prototype'];
    const answer = await rig.get(
      `Host: a\r\n${names.map((name) => `${name}: x\r\n${name}: y`).join('\r\n')}`,
    );
    expect([statuses(answer), bodyIn(answer)]).toEqual([[200], rig.text]);
  });

  it('#25 100 headers are taken, one more, 3,000 or 17 KB are refused and not cut', async () => {
    const many = (count: number) => Array.from({ length: count }, (_, i) => `X-${i}: y`).join('\r\n');
    // With Host and Connection, and the one that counts last.
    const last = 'X-Request-Id: the-last-0123';
    const whole = await rig.get(`Host: a\r\n${many(97)}\r\n${last}`);
    expect([statuses(whole), headersIn(whole)['x-request-id']]).toEqual([[200], 'the-last-0123']);
    for (const headers of [many(98), many(3_000), `X: ${'y'.repeat(17_000)}`, `${'y'.repeat(17_000)}: x`]) {
      const answer = await rig.get(`Host: a\r\n${headers}\r\n${last}`);
      if (isNode) expect(statuses(answer)).toEqual([431]);
      else if (statuses(answer)[0] === 200) expect(headersIn(answer)['x-request-id']).toBe('the-last-0123');
      else expect([400, 413, 431]).toContain(statuses(answer)[0]);
    }
  });

  it('#129 line ends and control bytes in the path or a header forge no line of the log', async () => {
    const forged = '{"level":"fatal","msg":"FORGED"}';
    const printed = rig.gateway.printed().length;
    for (const hostile of [
      `\r\n${forged}\r\n`,
      `\n${forged}\n`,
      `\r${forged}`,
      `\x1b[2J${forged}`,
      `\u2028${forged}`,
    ]) {
      const bytes = Buffer.from(hostile);
      for (const [before, after] of [
        [`GET /api/v1/invocations/x`, ' HTTP/1.1\r\nHost: a\r\n'],
        ...['User-Agent', 'Origin', 'Referer', 'X-Request-Id'].map((name) => [
          `GET ${rig.path} HTTP/1.1\r\nHost: a\r\n${name}: x`,
          '\r\n',
        ]),
      ]) {
        const request = Buffer.concat([
          Buffer.from(before!),
          bytes,
          Buffer.from(`${after}Connection: close\r\n\r\n`),
        ]);
        const sent = await converse(rig.gateway.url, request, { withinMs: 2_000 });
        expect(headersIn(sent.text)['x-request-id'] ?? '').toMatch(/^[\w.-]*$/);
      }
    }
    await ask(rig.gateway.url, 'nope', { headers: { 'x-request-id': 'after-the-forging' } });
    await expect.poll(() => rig.gateway.printed(), PATIENT).toContain('after-the-forging');
    const lines = rig.gateway.printed().slice(printed).trimEnd().split('\n');
    for (const line of lines.filter((each) => each.startsWith('{'))) {
      expect(JSON.parse(line)).toMatchObject({ msg: 'request' });
    }
    expect(lines.join('')).not.toContain('FORGED');
    if (isNode) expect(lines.every((line) => line.startsWith('{'))).toBe(true);
  });

  it('after all that: others are served, nothing was asked upstream, and nothing was an error of ours', async () => {
    expect(await rig.get('Host: a')).toContain(rig.text);
    expect(rig.simulator.count()).toBe(1);
    expect(rig.gateway.logs().filter(({ level }) => level === 'error' || level === 'fatal')).toEqual([]);
  });
});
