/** What lookups notice of lists that hang: the same lookups with eighty of them and without, in turns. */
import { randomUUID } from 'node:crypto';
import { requestText } from '../test/support/raw-socket.ts';
import { type Connection, connectTo } from './connection.ts';
import { JOB_ID } from './job.ts';
import { LIST_PATH, openListWorld } from './list-world.ts';
import { type Outcome, type ThemeOptions, tally } from './report.ts';
import { quantile, ratio, ratios, spread } from './stats.ts';

const LISTS = 80;
const WHEN = ['none', 'hanging'] as const;

export async function measureListHang({ rounds, seconds, progress }: ThemeOptions): Promise<Outcome> {
  // What waits in the queue of lists is refused after a second: each turn is shorter than that.
  const turns = Math.ceil(seconds / 0.5);
  const [p50, p99] = [tally(), tally()];
  const { gateway, headers, close } = await openListWorld(
    { DELAY_MS: 'never' },
    { UPSTREAM_TIMEOUT_MS: '1200' },
  );
  const lookup = await connectTo(gateway.url);
  const textOf = (id: string) => requestText(`/api/v1/invocations/${id}`, headers.full);
  try {
    for (let round = -1; round < rounds; round++) {
      progress(`lists that hang, ${round < 0 ? 'warming up' : `round ${round + 1} of ${rounds}`}`);
      const times = new Map<string, number[]>();
      for (let turn = 0; turn < turns; turn++) {
        for (const when of WHEN) {
          const lists = when === 'none' ? [] : await hangLists(gateway.url, headers.full, turn);
          const until = performance.now() + 500;
          while (performance.now() < until) {
            for (const [what, id] of [['hit', JOB_ID] as const, ['miss', randomUUID()] as const]) {
              const key = `${what}, ${when}`;
              times.set(key, [...(times.get(key) ?? []), await timeOf(lookup, textOf(id))]);
            }
          }
          for (const list of lists) list.close();
          // The last of them has been given up by then, whoever has left.
          if (when === 'hanging') await new Promise((resolve) => setTimeout(resolve, 1_300));
        }
      }
      for (const [key, all] of round < 0 ? [] : times) {
        p50.add(key, quantile(all, 0.5));
        p99.add(key, quantile(all, 0.99));
      }
    }
  } finally {
    lookup.close();
    await close();
  }
  const ratiosOf = (what: string) => ratios(p50.of(`${what}, hanging`), p50.of(`${what}, none`));
  return {
    tables: [
      {
        title: `Lookups while ${LISTS} lists hang`,
        notes: ['One caller, a hit and a miss in turn; upstream answers lookups at once and lists never.'],
        columns: ['lookup, lists', 'p50, ms', 'p99, ms'],
        rows: p50.names().map((name) => [name, spread(p50.of(name)), spread(p99.of(name))]),
      },
    ],
    promises: ['hit', 'miss'].map((what) => {
      return {
        what: `${what} with lists that hang x without, p50`,
        bound: 1.1,
        better: 'lower',
        values: ratiosOf(what),
        write: ratio,
      };
    }),
  };
}

async function hangLists(
  url: string,
  headers: Readonly<Record<string, string>>,
  turn: number,
): Promise<Connection[]> {
  const connections = await Promise.all(Array.from({ length: LISTS }, () => connectTo(url)));
  connections.forEach((connection, at) => {
    connection.send(requestText(`${LIST_PATH}&offset=${turn * LISTS + at}`, headers), () => {});
  });
  return connections;
}

function timeOf(connection: Connection, text: string): Promise<number> {
  const from = performance.now();
  return new Promise((resolve, reject) => {
    connection.send(text, (status) => {
      if (status === 200) resolve(performance.now() - from);
      else reject(new Error(`a lookup was answered ${status}`));
    });
  });
}
