/**
 * The sidecar, with its figures switched on and off by itself while it answers: two equal processes differ by more than
 * figures cost. Told `{pairs}`, it measures so many pairs of slices and sends what a hit took in each, µs of processor
 * time: `{on, off}`. `PORT` and the rest of the environment as ever.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseConfig } from '../../src/config/config.ts';
import { createConfiguredLog } from '../../src/gateway.ts';
import { oncePerTurn } from '../../src/node/metrics.ts';
import { createProcessFigures, type ProcessFigures } from '../../src/node/process-figures.ts';
import { createSidecar } from '../../src/node/sidecar.ts';
import { createStdout } from '../../src/node/stdout.ts';
import type { Counters } from '../../src/telemetry/counting-log.ts';
import { expositionOf } from '../../src/telemetry/exposition.ts';
import { familiesOf } from '../../src/telemetry/families.ts';
import { createTally } from '../../src/telemetry/tally.ts';

/** Long enough for thousands of hits, and short beside what neighbours on the machine do. */
const SLICE_MS = 200;
/** Of the slices that are on, one per second makes a page. */
const PAGE_EVERY = 1_000 / SLICE_MS;

const config = parseConfig(process.env, 'node');
const stdout = createStdout();
const tally = createTally(oncePerTurn(Date.now));
const nothing: Counters = { request() {}, upstreamCall() {}, event() {} };
let counters = nothing;
let hits = 0;

const sidecar = await createSidecar(config, createConfiguredLog(config, stdout.write), {
  counters: {
    request(start, end) {
      hits += 1;
      counters.request(start, end);
    },
    upstreamCall: (call, answer) => counters.upstreamCall(call, answer),
    event: (event) => counters.event(event),
  },
});
sidecar.server.listen(config.port, config.host, () => void sidecar.load());

process.on('message', ({ pairs }: { readonly pairs: number }) => {
  void measure(pairs).then((figures) => process.send?.(figures));
});

async function measure(pairs: number) {
  const took = { on: [] as number[], off: [] as number[] };
  for (let pair = 0; pair < pairs; pair++) {
    // Whoever is first takes turns.
    for (const which of pair % 2 === 0 ? (['on', 'off'] as const) : (['off', 'on'] as const)) {
      took[which].push(await measureSlice(which === 'on', pair));
    }
  }
  return took;
}

async function measureSlice(isOn: boolean, pair: number): Promise<number> {
  counters = isOn ? tally : nothing;
  hits = 0;
  const before = process.cpuUsage();
  const figures = isOn ? createProcessFigures() : undefined;
  if (pair % PAGE_EVERY === 0) await makePage(figures);
  await sleep(SLICE_MS);
  figures?.stop();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / hits;
}

async function makePage(figures: ProcessFigures | undefined): Promise<void> {
  if (figures === undefined) return;
  const own = await figures.families();
  expositionOf([...familiesOf(tally, sidecar.app.health()), ...own], 'openmetrics');
}
