/**
 * Random histories against the model of what may be seen (faults #80 to #93). Upstream answers late, in any order and
 * anything; entries are evicted, processes end, time passes; no caller may ever see what the rules forbid.
 * A failure prints its seed and the shortest history; `MODEL_SEED=…` plays it again, `MODEL_RUNS=…` plays more.
 */
import fc from 'fast-check';
import { describe, it } from 'vitest';
import { type Act, type HistoryOptions, play } from '../support/model-history.ts';
import { FAILURE_SAYINGS, JOB_SAYINGS, type Saying } from '../support/model-upstream.ts';

const HISTORIES = Number(process.env.MODEL_RUNS ?? 100_000);
const seed = process.env.MODEL_SEED === undefined ? {} : { seed: Number(process.env.MODEL_SEED) };

const small = fc.nat(5);
const saying: fc.Arbitrary<Saying> = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...JOB_SAYINGS) },
  { weight: 3, arbitrary: fc.constantFrom(...FAILURE_SAYINGS) },
  { weight: 1, arbitrary: fc.constant<Saying>('404') },
);
/** Around every border there is, and a little of anything. */
const passing = fc.oneof(
  fc.constantFrom(1, 249, 250, 999, 1_000, 1_999, 2_000, 2_001, 299_999, 301_999, 302_000),
  fc.nat(4_000),
);

const ask = fc.record({
  do: fc.constant('ask' as const),
  id: small,
  callers: fc.integer({ min: 1, max: 3 }),
  viewer: small,
});
const say = fc.record({ do: fc.constant('say' as const), call: small, what: saying });
const pass = fc.record({ do: fc.constant('pass' as const), ms: passing });
const evict = fc.record({ do: fc.constant('evict' as const), viewer: small });
const restart = fc.record({ do: fc.constant('restart' as const) });
const crash = fc.record({ do: fc.constant('crash' as const) });
const jump = fc.record({
  do: fc.constant('pass' as const),
  ms: fc.constantFrom(-3_600_000, -2_001, 86_400_000),
});

const common: fc.WeightedArbitrary<Act>[] = [
  { weight: 8, arbitrary: ask },
  { weight: 8, arbitrary: say },
  { weight: 4, arbitrary: pass },
  { weight: 1, arbitrary: restart },
];
const history = (...acts: fc.WeightedArbitrary<Act>[]) =>
  fc.array(fc.oneof(...acts), { minLength: 4, maxLength: 24, size: 'max' });
const unevicted = history(...common, { weight: 1, arbitrary: crash });
const steady = history(...common, { weight: 1, arbitrary: crash }, { weight: 1, arbitrary: evict });
const jumpy = history(...common, { weight: 2, arbitrary: jump }, { weight: 1, arbitrary: evict });

const ROOM_FOR_ALL = 8_192;
const ROOM_FOR_TWO = 2_048;

async function check(
  share: number,
  histories: fc.Arbitrary<Act[]>,
  options: Partial<HistoryOptions>,
  memories: readonly number[] = [ROOM_FOR_TWO, ROOM_FOR_ALL],
) {
  await fc.assert(
    fc.asyncProperty(histories, fc.constantFrom(...memories), (acts, memoryBytes) =>
      play(acts, { tiers: 1, reorders: false, clockJumps: false, memoryBytes, ...options }),
    ),
    { numRuns: Math.ceil(HISTORIES * share), ...seed },
  );
}

describe('in any history, nobody is shown what the rules forbid', { timeout: 300_000 }, () => {
  it('by a sidecar with a durable store', () => check(0.5, steady, {}));
  it('by isolates in front of an object', () => check(0.25, steady, { tiers: 2 }));
  it('when answers to one id overtake each other, as in an isolate (#81)', () =>
    check(0.15, unevicted, { reorders: true }, [ROOM_FOR_ALL]));
  it('when the clock jumps: ages change, and nothing else (#88)', () =>
    check(0.1, jumpy, { clockJumps: true }));
});
