/** Ten thousand callers of one id that nobody has asked for, on ten thousand sockets, at once. */
import { randomUUID } from 'node:crypto';
import { requestText } from '../test/support/raw-socket.ts';
import { type Connection, connectTo } from './connection.ts';
import type { Outcome, ThemeOptions } from './report.ts';
import { countOf, serveGateway, serveUpstream } from './servers.ts';
import { spread } from './stats.ts';

const CALLERS = 10_000;
const UPSTREAM_MS = 1_000;
/** Connections opened at once: within everybody's backlog. */
const BATCH = 250;

export async function measureHerd({ rounds, progress }: ThemeOptions): Promise<Outcome> {
  const upstream = await serveUpstream({ delayMs: UPSTREAM_MS });
  const gateway = await serveGateway(upstream.url);
  const calls: number[] = [];
  const lastMs: number[] = [];
  const connections: Connection[] = [];
  try {
    while (connections.length < CALLERS) {
      const opened = Array.from({ length: BATCH }, () => connectTo(gateway.url));
      connections.push(...(await Promise.all(opened)));
    }
    for (let round = 0; round < rounds; round++) {
      progress(`herd, round ${round + 1} of ${rounds}`);
      const before = await countOf(upstream);
      lastMs.push(await stampede(connections));
      calls.push((await countOf(upstream)) - before);
    }
  } finally {
    for (const connection of connections) connection.close();
    await Promise.all([gateway.stop(), upstream.stop()]);
  }
  return {
    tables: [
      {
        title: `A herd: ${CALLERS.toLocaleString('en-US')} cold callers of one id at once`,
        notes: [
          `Over as many sockets, opened before; upstream takes ${UPSTREAM_MS} ms. Gateway on core 0, the callers`,
          'and upstream on core 1. The time is from the first request to the last answer; all are 200.',
        ],
        columns: ['', 'upstream calls', 'last answer, ms'],
        rows: [['gateway', spread(calls, String), spread(lastMs)]],
      },
    ],
    promises: [{ what: 'upstream calls of a herd', bound: 1, better: 'lower', values: calls, write: String }],
  };
}

/** From the first request to the last answer, ms. */
async function stampede(connections: readonly Connection[]): Promise<number> {
  const text = requestText(`/api/v1/invocations/${randomUUID()}`);
  const from = performance.now();
  await Promise.all(
    connections.map(
      (connection) =>
        new Promise<void>((resolve, reject) => {
          connection.send(text, (status) => {
            if (status === 200) resolve();
            else reject(new Error(`a caller of the herd was answered ${status}`));
          });
        }),
    ),
  );
  return performance.now() - from;
}
