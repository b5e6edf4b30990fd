/**
 * Hostile callers and a hostile upstream at once (faults #126). Whatever either sends: no crash, no
 * internal error, no byte of the upstream token in seven encodings in any answer, header, log line or file, no
 * call to any host but upstream, nothing shown that the grant does not cover, no stall of the event loop over 50 ms.
 *
 * A failure prints the seed, the request's number and both sides' bytes. `FUZZ_SEED=…` plays the same again,
 * `FUZZ_REQUESTS=…` plays more, `FUZZ_VERBOSE=1` tells what was met.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { healthz } from '../support/ask.ts';
import { createCanary } from '../support/canary.ts';
import { DATABASE, type FuzzUpstream, SOURCE, startFuzzUpstream } from '../support/fuzz/answers.ts';
import { strangeIn } from '../support/fuzz/heads.ts';
import { HURRIED_ENV } from '../support/fuzz/hurried-env.ts';
import { createJudge } from '../support/fuzz/judge.ts';
import { createRandom } from '../support/fuzz/random.ts';
import { type FuzzRequest, type FuzzWorld, fuzzRequest } from '../support/fuzz/requests.ts';
import { type Gateway, RUNTIMES, startNode, startWorkerd, TOKEN } from '../support/gateway.ts';
import { claimsNow, GRANT_ENV, SECRET } from '../support/grants.ts';
import { eventually } from '../support/jobs.ts';
import { keepConnection, type RawOutcome } from '../support/raw-socket.ts';
import { mint } from '../support/tokens.ts';
import { WATCHED_ENV, type Watched } from '../support/watch.ts';

const REQUESTS = Number(process.env.FUZZ_REQUESTS ?? 20_000);
const SEED = Number(process.env.FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 31));
const VERBOSE = process.env.FUZZ_VERBOSE !== undefined;
/** workerd takes its share of the requests. */
const SHARE = { node: 1, workerd: 0.1 };
const JOBS = { node: 2_000, workerd: 400 };
const CONNECTIONS = 16;
const MAX_HOLD_MS = 50;

const METHODS = ['GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'DELETE', 'PATCH', 'TRACE', 'PROPFIND', 'get', 'X'];

const NOT_ON_WORKERD = {
  CONNECT: 'the runtime answers it by itself, with a 500 of its own; at Cloudflare the edge does',
  'stalls of the event loop': 'the runtime shows its loop to nobody, and clocks stand still between I/O',
  'every connect() of the process':
    'no code can be loaded before its own; the trap address is watched there too',
};
it.skip.each(Object.entries(NOT_ON_WORKERD))('on workerd: %s: %s', () => {});

const canary = createCanary(TOKEN);
const grantSecret = createCanary(SECRET);

describe.each(RUNTIMES)(`fuzz of %s, FUZZ_SEED=${SEED}`, (runtime) => {
  const folder = mkdtempSync(join(tmpdir(), 'gateway-fuzz-'));
  const files = join(folder, 'files');
  mkdirSync(files);
  let trapped = 0;
  const trap = createServer((socket) => {
    trapped++;
    socket.destroy();
  });
  let upstream: FuzzUpstream;
  let gateway: Gateway;
  let world: FuzzWorld;
  const ids = Array.from({ length: JOBS[runtime] }, (_, index) => createRandom(SEED ^ index).uuid());
  const ownIds = new Set(ids.slice(0, 40));

  beforeAll(async () => {
    await new Promise<void>((resolve) => trap.listen(0, '127.0.0.1', resolve));
    const { port } = trap.address() as { port: number };
    const trapUrl = `http://127.0.0.1:${port}`;
    const grants = (read: unknown) => Array.from({ length: 8 }, () => mint(claimsNow(3_600, { read })));
    world = {
      ids,
      trap: trapUrl,
      methods: runtime === 'node' ? [...METHODS, 'CONNECT'] : METHODS,
      tokens: {
        all: grants('*'),
        own: grants({ invocations: [...ownIds] }),
        database: grants({ databases: [DATABASE] }),
        source: grants({ sources: [SOURCE] }),
        nothing: grants({ invocations: [createRandom(~SEED).uuid()] }),
      },
      mint: (claims, header, rightly) => mint(claims, header, rightly ? SECRET : 'x'.repeat(40)),
    };
    upstream = await startFuzzUpstream({ seed: SEED, canary, trap: trapUrl });
    const env = {
      ...GRANT_ENV,
      CORS_ORIGINS: 'https://app.example',
      ...HURRIED_ENV,
    };
    gateway =
      runtime === 'node'
        ? await startNode(upstream.url, {
            ...env,
            ...WATCHED_ENV,
            CACHE_STORE_URL: `sqlite:${join(files, 'answers')}`,
          })
        : await startWorkerd(upstream.url, env, { persistTo: files });
  });
  afterAll(async () => {
    await gateway.stop();
    await upstream.close();
    trap.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('answers everything as promised', { timeout: 40_000 + REQUESTS * 5 }, async () => {
    const judge = createJudge({ canary, ownIds, upstream });
    const total = Math.ceil(REQUESTS * SHARE[runtime]);
    const seen: Record<string, number> = {};
    let number = 0;
    const caller = async () => {
      const kept = keepConnection(gateway.url);
      while (number < total) {
        const mine = number++;
        const request = fuzzRequest(SEED, mine, world);
        const outcome = await kept.send(request.bytes, request);
        const flaw = judge(request, outcome);
        if (flaw !== undefined) {
          number = total;
          throw new Error(report(mine, flaw, request, outcome));
        }
        const form = request.lookup ? 'tame' : request.list ? 'list' : 'wild';
        const kind = `${form} ${typeof outcome === 'string' ? outcome : outcome.status}`;
        seen[kind] = (seen[kind] ?? 0) + 1;
      }
      kept.close();
    };
    await Promise.all(Array.from({ length: CONNECTIONS }, caller));
    // A run that met only errors would have proved little.
    for (const [kind, share] of [
      ['tame 200', 0.03],
      ['tame 401', 0.03],
      ['tame 404', 0.05],
      ['tame 502', 0.005],
      ['list 200', 0.01],
      ['list 400', 0.02],
      ['list 404', 0.02],
      ['list 502', 0.004],
    ] as const) {
      expect(seen[kind] ?? 0, JSON.stringify(seen)).toBeGreaterThan(total * share);
    }
    if (VERBOSE) console.log(seen, upstream.requests());
  });

  function report(mine: number, flaw: string, request: FuzzRequest, outcome: RawOutcome): string {
    const { bytes, lookup, list } = request;
    const asked = lookup?.id ?? list?.canonical;
    const show = (text: string) => JSON.stringify(text.slice(0, 3_000));
    const answer =
      typeof outcome === 'string' ? outcome : `${outcome.head}\r\n\r\n${outcome.body.toString('latin1')}`;
    return [
      `${flaw}: FUZZ_SEED=${SEED}, request ${mine} on ${runtime}`,
      `sent ${show(bytes.toString('latin1'))}`,
      `got ${show(answer)}`,
      `meant ${JSON.stringify(lookup ?? list)}; upstream's last: ${asked ? upstream.last(asked) : '-'}`,
      `printed ${show(gateway.printed().slice(-2_000))}`,
    ].join('\n');
  }

  it('#200 asked upstream for invocations and canonical lists alone, with its own headers alone', () => {
    expect(strangeIn(upstream.received())).toBeUndefined();
  });

  it('lives, ends in order, and called nobody else', async () => {
    expect(await healthz(gateway.url)).toBe(200);
    await gateway.stop();
    expect(trapped).toBe(0);
    if (runtime === 'workerd') return;
    const watched = await eventually(
      () => gateway.logs().find(({ msg }) => msg === 'watched') as (Watched & { msg: string }) | undefined,
      2_000,
    );
    if (VERBOSE) console.log(watched);
    expect(watched?.targets).toEqual([new URL(upstream.url).host]);
    expect(watched?.longestHoldMs, JSON.stringify(watched)).toBeLessThan(MAX_HOLD_MS);
  });

  it('#126 no byte of a secret in any log line or file, and no grant, query or body in the log', () => {
    const printed = gateway.printed();
    expect(canary.findIn(printed)).toBeUndefined();
    expect(grantSecret.findIn(printed)).toBeUndefined();
    expect(printed).not.toMatch(
      /eyJ|access_token|internal error|uncaught|exception|"level":"fatal"|created_at|qz|order_by|source_id/,
    );
    // workerd has two lines of its own to say about its configuration.
    const lines = printed
      .split('\n')
      .filter((line) => line !== '' && (runtime === 'node' || line[0] === '{'));
    for (const line of lines) {
      expect(line, 'one JSON object per line').toMatch(/^\{"level":.*\}$/);
    }
    expect(canary.findInFiles(files)).toBeUndefined();
    expect(grantSecret.findInFiles(files)).toBeUndefined();
  });
});
