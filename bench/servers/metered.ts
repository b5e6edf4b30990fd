/**
 * The sidecar with its figures switched on and off while it runs, by the messages `on` and `off`: two equal processes
 * differ by more than the figures cost. `PORT` and `METRICS_PORT` as ever.
 */
import { parseConfig } from '../../src/config/config.ts';
import { createConfiguredLog } from '../../src/gateway.ts';
import { createMetrics } from '../../src/node/metrics.ts';
import { createSidecar } from '../../src/node/sidecar.ts';
import { createStdout } from '../../src/node/stdout.ts';
import type { Counters } from '../../src/telemetry/counting-log.ts';

const config = parseConfig(process.env, 'node');
const stdout = createStdout();
const log = createConfiguredLog(config, stdout.write);
const NOTHING: Counters = { request() {}, upstreamCall() {}, event() {} };
/** One for all turns, as new closures would be compiled anew. */
const metrics = createMetrics();
let counters = NOTHING;

const sidecar = await createSidecar(config, log, {
  counters: {
    request: (start, end) => counters.request(start, end),
    upstreamCall: (call, answer) => counters.upstreamCall(call, answer),
    event: (event) => counters.event(event),
  },
  logHealth: () => ({ dropped: stdout.dropped() }),
});
sidecar.server.listen(config.port, config.host, () => void sidecar.load());

process.on('message', (order) => void turn(order === 'on').then(() => process.send?.(order)));

async function turn(isOn: boolean): Promise<void> {
  await metrics.close();
  counters = isOn ? metrics.tally : NOTHING;
  if (isOn && config.metrics) await metrics.open(config.metrics, sidecar.app.health, log);
}
