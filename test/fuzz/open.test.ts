/**
 * The fuzz where no grant is asked for (`AUTH=none`; faults #126): every caller may read every job, so
 * whatever credential comes along decides nothing, reaches neither upstream nor the log, and is no reason for a 401.
 * A failure prints the seed and the request's number. `FUZZ_SEED=…` plays the same again.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { healthz } from '../support/ask.ts';
import { createCanary } from '../support/canary.ts';
import { type FuzzUpstream, startFuzzUpstream } from '../support/fuzz/answers.ts';
import { strangeIn } from '../support/fuzz/heads.ts';
import { HURRIED_ENV } from '../support/fuzz/hurried-env.ts';
import { createJudge } from '../support/fuzz/judge.ts';
import { createRandom } from '../support/fuzz/random.ts';
import { type FuzzRequest, type FuzzWorld, fuzzRequest } from '../support/fuzz/requests.ts';
import { type Gateway, RUNTIMES, startGateway, TOKEN } from '../support/gateway.ts';
import { claimsNow, SECRET } from '../support/grants.ts';
import { keepConnection, type RawOutcome } from '../support/raw-socket.ts';
import { mint } from '../support/tokens.ts';

/** A tenth of what the fuzz with grants sends; workerd takes a quarter of that. */
const REQUESTS = Math.ceil(Number(process.env.FUZZ_REQUESTS ?? 20_000) / 10);
const SEED = Number(process.env.FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 31));
const SHARE = { node: 1, workerd: 0.25 };
const CONNECTIONS = 16;
/** Nobody listens there, and nobody may ask. */
const TRAP = 'http://127.0.0.1:1';
const METHODS = ['GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'DELETE', 'PATCH', 'TRACE', 'get', 'X'];

const canary = createCanary(TOKEN);

describe.each(RUNTIMES)(`fuzz without grants of %s, FUZZ_SEED=${SEED}`, (runtime) => {
  const ids = Array.from({ length: 300 }, (_, index) => createRandom(SEED ^ index).uuid());
  const grants = () => Array.from({ length: 4 }, () => mint(claimsNow(3_600)));
  const world: FuzzWorld = {
    ids,
    trap: TRAP,
    methods: METHODS,
    tokens: { all: grants(), own: grants(), database: grants(), source: grants(), nothing: grants() },
    mint: (claims, header, rightly) => mint(claims, header, rightly ? SECRET : 'x'.repeat(40)),
  };
  let upstream: FuzzUpstream;
  let gateway: Gateway;
  beforeAll(async () => {
    upstream = await startFuzzUpstream({ seed: SEED, canary, trap: TRAP });
    gateway = await startGateway(runtime, upstream.url, {
      AUTH: 'none',
      CORS_ORIGINS: '*',
      ...HURRIED_ENV,
    });
  });
  afterAll(async () => {
    await gateway.stop();
    await upstream.close();
  });

  /** The same bytes, held against what this gateway promises: everybody may read everything. */
  function openRequest(number: number): FuzzRequest {
    const request = fuzzRequest(SEED, number, world);
    const { lookup, list, ...rest } = request;
    if (lookup !== undefined) return { ...rest, lookup: { ...lookup, standing: 'all' } };
    return list === undefined ? request : { ...rest, list: { ...list, standing: 'all' } };
  }

  it('answers everything as promised, whatever the credential', {
    timeout: 40_000 + REQUESTS * 5,
  }, async () => {
    const judge = createJudge({ canary, ownIds: new Set(), upstream });
    const total = Math.ceil(REQUESTS * SHARE[runtime]);
    const seen = new Map<number, number>();
    let number = 0;
    const caller = async () => {
      const kept = keepConnection(gateway.url);
      while (number < total) {
        const mine = number++;
        const request = openRequest(mine);
        const outcome = await kept.send(request.bytes, request);
        const flaw = judge(request, outcome) ?? challengeIn(outcome);
        if (flaw !== undefined) {
          number = total;
          const sent = JSON.stringify(request.bytes.toString('latin1').slice(0, 3_000));
          const got = JSON.stringify(typeof outcome === 'string' ? outcome : outcome.head);
          expect.fail(`${flaw}: FUZZ_SEED=${SEED}, request ${mine} on ${runtime}\nsent ${sent}\ngot ${got}`);
        }
        if (request.lookup === undefined || typeof outcome === 'string') continue;
        seen.set(outcome.status, (seen.get(outcome.status) ?? 0) + 1);
      }
      kept.close();
    };
    await Promise.all(Array.from({ length: CONNECTIONS }, caller));
    // A run that met only errors would have proved little.
    for (const [status, share] of [
      [200, 0.1],
      [404, 0.01],
      [502, 0.005],
    ] as const) {
      expect(seen.get(status) ?? 0, JSON.stringify([...seen])).toBeGreaterThan(total * share);
    }
  });

  it('#126 lives, and neither log nor upstream holds the token, a grant or a query', async () => {
    expect(await healthz(gateway.url)).toBe(200);
    const printed = gateway.printed();
    expect(canary.findIn(printed)).toBeUndefined();
    expect(printed).not.toMatch(
      /eyJ|access_token|internal error|uncaught|exception|"level":"fatal"|qz|order_by/,
    );
    expect(strangeIn(upstream.received())).toBeUndefined();
    // The head that upstream gets holds the token once, as it must, and nothing that a caller sent.
    expect(upstream.received()).not.toMatch(/127\.0\.0\.1:1\/|x-forwarded/i);
  });
});

/** Where no grant is asked for, nobody may be told to show one. */
function challengeIn(outcome: RawOutcome): string | undefined {
  if (typeof outcome === 'string') return undefined;
  return outcome.status === 401 || /^www-authenticate:/im.test(outcome.head) ? 'a challenge' : undefined;
}
