/** A wrong set-up that looks like missing jobs (faults #154): another host's 404s. */
import { describe, expect, it } from 'vitest';
import { createUpstreamLog } from '../../../src/telemetry/upstream-log.ts';
import { isChromaError } from '../../../src/upstream/chroma-error.ts';
import type { UpstreamCall } from '../../../src/upstream/chroma-source.ts';
import { ask, newId } from '../../support/ask.ts';
import { type Gateway, RUNTIMES } from '../../support/gateway.ts';
import { answer, type RawScript, response } from '../../support/raw-upstream.ts';
import { useRig } from '../../support/upstream-rig.ts';

const WARNING = /upstream answered 404, but not as Chroma does/;
const warnings = (gateway: Gateway) => gateway.logs().filter(({ msg }) => WARNING.test(msg));
const CHROMA = '{"error":"NotFoundError","message":"HIDDEN"}';

const send =
  (body: string, headers: readonly string[] = []): RawScript =>
  ({ socket }) =>
    socket.write(response(404, body, headers));

describe.each(RUNTIMES)('#154 a 404 on %s', (runtime) => {
  describe('of Chroma’s', () => {
    const rig = useRig(runtime);
    it('is an answer, and nothing is logged', async () => {
      for (const body of [CHROMA, `{"error":"ChromaError","message":"","x":${JSON.stringify(CHROMA)}}`]) {
        const { status, error } = await rig.fault(send(body));
        expect([status, error.error]).toEqual([404, 'not_found']);
      }
      // What did not come in time, or not whole, says nothing of who sent it.
      const slow: RawScript = ({ socket }) => socket.write('HTTP/1.1 404 X\r\nContent-Length: 50\r\n\r\n{');
      const cut: RawScript = ({ socket }) => socket.end('HTTP/1.1 404 X\r\nContent-Length: 50\r\n\r\n{');
      for (const script of [slow, cut]) {
        const startedAt = performance.now();
        const { status, error, calls } = await rig.fault(script);
        expect([status, error.error, calls]).toEqual([404, 'not_found', 1]);
        expect(performance.now() - startedAt).toBeLessThan(2_000);
      }
      await rig.fault(answer);
      expect(warnings(rig.gateway)).toEqual([]);
      expect(rig.gateway.printed()).not.toContain('HIDDEN');
    });
  });

  const foreign: readonly (readonly [string, RawScript])[] = [
    ['HTML', send('<!doctype html><h1>HIDDEN</h1>', ['Content-Type: text/html; charset=HIDDEN'])],
    ['nothing', send('')],
    ['another JSON', send('{"detail":"HIDDEN"}', ['Content-Type: application/json'])],
    ['an endless page', send('HIDDEN '.repeat(100_000))],
  ];
  describe.each(foreign)('that is %s', (_name, script) => {
    const rig = useRig(runtime, { LOG_LEVEL: 'trace' });
    it('stays a 404 for the callers, and is one warning for the operator', async () => {
      for (let i = 0; i < 5; i++) {
        const { status, error, headers, calls } = await rig.fault(script);
        expect([status, error.error, headers.get('retry-after'), calls]).toEqual([404, 'not_found', '1', 1]);
      }
      await expect.poll(() => warnings(rig.gateway).length).toBe(1);
      expect(warnings(rig.gateway)[0]).toMatchObject({ level: 'warn', status: 404 });
      // A round trip later there is still one, and no word of the page.
      const last = newId();
      await ask(rig.gateway.url, last);
      await expect.poll(() => rig.gateway.printed()).toContain(last);
      expect(warnings(rig.gateway)).toHaveLength(1);
      expect(rig.gateway.printed()).not.toContain('HIDDEN');
    });
  });
});

describe('#154 the warning', () => {
  it('comes at most once per minute, whatever the clock does', () => {
    let now = 1_000_000;
    const lines: unknown[] = [];
    const log = { event: (...line: unknown[]) => lines.push(line) };
    const calls = createUpstreamLog(log as never, () => now);
    const report = () => calls.report({ oddity: 'foreign_404' } as UpstreamCall);
    for (const [stepMs, expected] of [
      [0, 1],
      [59_999, 1],
      [1, 2],
      [30_000, 2],
      [-3_600_000, 3],
      [10_000, 3],
    ] as const) {
      now += stepMs;
      report();
      expect(lines).toHaveLength(expected);
    }
    expect(calls.counts()).toEqual({ calls: 6, failures: 0, contractDrift: 0 });
  });

  it.each([
    ['{"error":"NotFoundError","message":"x"}', true],
    ['{"message":"","error":"","more":[]}', true],
    ['{"error":"NotFoundError"}', false],
    ['{"error":{},"message":"x"}', false],
    ['[{"error":"a","message":"b"}]', false],
    ['null', false],
    ['"error message"', false],
    ['{"error":"a","message":"b"', false],
    ['', false],
  ])('%s: Chroma’s own? %s', (body, expected) => {
    expect(isChromaError(Buffer.from(body))).toBe(expected);
  });
});
