/** What callers, and bugs, might smuggle into the log (contract §8, faults #128, #129), on both runtimes. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSimulator } from '../../../simulator/simulator.ts';
import { ask, newId } from '../../support/ask.ts';
import { type Gateway, RUNTIMES, startNode, startWorkerd, TOKEN } from '../../support/gateway.ts';
import { eventually } from '../../support/jobs.ts';
import { headerIn, type KeptConnection, keepConnection } from '../../support/raw-socket.ts';
import { useSimulated } from '../../support/simulated-rig.ts';

const OURS = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

describe.each(RUNTIMES)('hostile text on %s', (runtime) => {
  const { simulator, gateway } = useSimulated(runtime, { LOG_LEVEL: 'debug' });
  let kept: KeptConnection;
  let id: string;
  beforeAll(async () => {
    kept = keepConnection(gateway.url);
    id = simulator.addJob({ state: 'complete' });
  });
  afterAll(() => kept.close());

  /** What was printed since; every line of it must be whole JSON. */
  async function printedDuring(send: () => Promise<unknown>, lines: number): Promise<string> {
    const before = gateway.printed().length;
    await send();
    const since = () => gateway.printed().slice(before);
    await eventually(() => since().split('\n').length > lines, 3_000);
    for (const line of since().trimEnd().split('\n'))
      expect(JSON.parse(line)).toMatchObject({ msg: 'request' });
    return since();
  }
  const get = (path: string, headers: string) =>
    kept.send(Buffer.from(`GET ${path} HTTP/1.1\r\nHost: a\r\n${headers}\r\n\r\n`));
  const lookup = (headers: string) => get(`/api/v1/invocations/${id}`, headers);

  it.each(['abcdefgh', 'Req.0123_ABC-z', 'a'.repeat(64), '--------'])(
    '#129 the request id %s is kept, in the answer and in the line',
    async (offered) => {
      const printed = await printedDuring(async () => {
        const reply = await lookup(`X-Request-Id: ${offered}`);
        expect(typeof reply === 'object' && headerIn(reply.head, 'x-request-id')).toBe(offered);
      }, 1);
      expect(JSON.parse(printed)).toMatchObject({ requestId: offered });
    },
  );

  it.each([
    ['seven characters', 'abcdefg'],
    ['65 characters', 'a'.repeat(65)],
    ['empty', ''],
    ['a space', 'abcd efgh'],
    ['a quote', 'abcdefg"'],
    ['JSON', '","level":"fatal","x":"'],
    ['a backslash', 'abcdefgh\\u000a'],
    ['HTML', '<script>alert(1)</script>'],
    ['a slash', 'abcd/../efgh'],
    ['U+2028', 'abcdefgh\u2028'],
    ['a bidi override', 'abcdefgh\u202egnp'],
    ['Latin-1', 'abcdéfgh'],
    ['two of them', 'abcdefgh\r\nX-Request-Id: ijklmnop'],
    ['a NEL', 'abcdefgh\u0085'],
  ])('#129 a request id with %s is replaced by one of ours', async (_what, offered) => {
    const printed = await printedDuring(async () => {
      const reply = await lookup(`X-Request-Id: ${offered}`);
      expect(typeof reply === 'object' && headerIn(reply.head, 'x-request-id')).toMatch(OURS);
    }, 1);
    const line = JSON.parse(printed) as Record<string, unknown>;
    expect(line.requestId).toMatch(OURS);
    expect(line).toMatchObject({ level: 'info', status: 200 });
  });

  const HOSTILE: readonly [string, string][] = [
    ['ANSI', '\x1b[2J\x1b[31mEVIL'],
    ['C1 controls', '\u009b31mEVIL'],
    ['U+2028 and U+2029', 'EVIL\u2028EVIL\u2029'],
    ['a quote and a line end', 'EVIL"}\\n{"level":"fatal","msg":"EVIL'],
    ['a log4j lookup', '$' + '{jndi:ldap://EVIL}'],
  ];
  it.each(HOSTILE)(
    '#129 %s in User-Agent, Referer, Origin and others reaches no line',
    async (_what, text) => {
      for (const name of ['User-Agent', 'Referer', 'Origin', 'X-Forwarded-For', 'Cookie', 'X-Request-Id']) {
        // Some parsers refuse such a header: then there is no request, and no line either.
        const before = gateway.printed().length;
        const reply = await lookup(`${name}: ${text}`);
        const head = typeof reply === 'object' ? reply.head : '';
        expect(head).not.toContain('EVIL');
        if (head.startsWith('HTTP/1.1 200')) await eventually(() => gateway.printed().length > before, 3_000);
      }
      expect(gateway.printed()).not.toContain('EVIL');
    },
  );

  it.each([
    ['encoded CRLF', 'EVIL%0d%0aSet-Cookie:%20EVIL=1'],
    ['encoded ANSI', '%1b[31mEVIL'],
    ['encoded U+2028', 'EVIL%E2%80%A8EVIL'],
    ['a quote', 'EVIL%22%7d'],
  ])('#129 %s in the id, the path and the query: one line each, without it', async (_what, text) => {
    const paths = [
      `/api/v1/invocations/${text}`,
      `/api/v1/invocations/${id}?${text}`,
      `/${text}`,
      `/healthz?${text}`,
    ];
    const printed = await printedDuring(async () => {
      for (const path of paths) await get(path, 'X-Request-Id: hostile-path');
    }, paths.length);
    expect(printed.trimEnd().split('\n')).toHaveLength(paths.length);
    expect(printed).not.toContain('EVIL');
  });

  it('#129 after all that, every line is whole JSON', () => {
    const lines = gateway.printed().trimEnd().split('\n');
    // workerd's own words about its configuration
    for (const line of lines.filter((text) => !text.startsWith('service '))) JSON.parse(line);
  });
});

const folder = mkdtempSync(join(tmpdir(), 'gateway-log-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A gateway whose platform throws this where an instant becomes a date: in the middle of keeping an answer. */
function startBroken(runtime: Gateway['runtime'], upstreamUrl: string): Promise<Gateway> {
  const prelude = `Date.prototype.toUTCString = () => {
    throw new Error('outer ${TOKEN}', { cause: new TypeError('inner ${btoa(TOKEN)}') });
  };\n`;
  if (runtime === 'workerd') return startWorkerd(upstreamUrl, {}, { prelude });
  const file = join(folder, `${newId()}.mjs`);
  // Node's own Date header has the same need.
  writeFileSync(
    file,
    `${prelude.replace('() => {', 'function () { if (!new Error().stack.includes("/src/cache/")) return "";')}`,
  );
  return startNode(upstreamUrl, { NODE_OPTIONS: `--import=${pathToFileURL(file).href}` });
}

describe.each(RUNTIMES)('a bug on %s', (runtime) => {
  it('#128 whose message holds the token: 500 internal, its stack and causes in the log, the token nowhere', async () => {
    const simulator = createSimulator({ token: TOKEN });
    const gateway = await startBroken(runtime, await simulator.listen());
    try {
      const id = simulator.addJob({ state: 'complete' });
      const { status, error, text } = await ask(gateway.url, id, {
        headers: { 'x-request-id': 'a-bug-0123' },
      });
      expect([status, error]).toEqual([
        500,
        { error: 'internal', message: 'The gateway failed.', request_id: 'a-bug-0123', retryable: true },
      ]);
      const lines = () => gateway.logs().filter(({ err }) => String(err).includes('outer'));
      await eventually(() => lines().length > 0, 3_000);
      expect(lines()).toEqual([
        expect.objectContaining({
          level: 'error',
          msg: 'internal error',
          err: expect.stringMatching(
            /outer \[redacted\][\s\S]*caused by: TypeError: inner \[redacted\]/,
          ) as string,
        }),
      ]);
      const requests = () => gateway.logs().filter(({ msg }) => msg === 'request');
      await eventually(() => requests().length > 0, 3_000);
      expect(requests()).toEqual([
        expect.objectContaining({ status: 500, code: 'internal', requestId: 'a-bug-0123', cache: 'miss' }),
      ]);
      for (const needle of [TOKEN, btoa(TOKEN).replaceAll('=', '')]) {
        expect(gateway.printed() + text).not.toContain(needle);
      }
    } finally {
      await gateway.stop();
      await simulator.close();
    }
  });
});
