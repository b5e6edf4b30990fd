/** The second listener put together; loaded only where `METRICS_PORT` is set. */

import type { MetricsConfig } from '../config/metrics.ts';
import type { Health } from '../http/health.ts';
import { expositionOf } from '../telemetry/exposition.ts';
import { familiesOf } from '../telemetry/families.ts';
import type { Log } from '../telemetry/log.ts';
import { createTally, type Tally } from '../telemetry/tally.ts';
import { listen } from './listen.ts';
import { createMetricsServer } from './metrics-server.ts';
import { createProcessFigures } from './process-figures.ts';

export interface Metrics {
  /** What happens is counted there from the start. */
  readonly tally: Tally;
  /** Resolves to its URL when it listens; rejects when it cannot. */
  open(config: MetricsConfig, health: () => Health, log: Log): Promise<string>;
  close(): Promise<void>;
}

export function createMetrics(): Metrics {
  const tally = createTally(oncePerTurn(Date.now));
  let close = async () => {};
  return {
    tally,
    async open({ host, port }, health, log) {
      const figures = createProcessFigures();
      const { server, close: closeServer } = createMetricsServer({
        health,
        async pageOf(format) {
          const own = await figures.families();
          // Read and written in one go: all of a page is of one moment.
          return expositionOf([...familiesOf(tally, health()), ...own], format);
        },
        report: (err) => log.event('error', 'internal error', { err }),
      });
      close = async () => {
        await closeServer();
        figures.stop();
      };
      return listen(server, port, host);
    },
    close: () => close(),
  };
}

/** One reading for all that is answered in one turn of the event loop: a clock costs more than all counting. */
export function oncePerTurn(now: () => number): () => number {
  const soon = Promise.resolve(); // Node's queueMicrotask costs several clocks
  let at: number | undefined;
  const forget = () => {
    at = undefined;
  };
  return () => {
    if (at === undefined) {
      at = now();
      void soon.then(forget);
    }
    return at;
  };
}
