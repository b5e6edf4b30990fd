/** How long the largest list holds the event loop up, whatever is in it, while twenty callers wait for it at once. */
import { Agent, get } from 'node:http';
import { FILLINGS } from '../test/support/list-bodies.ts';
import { longestDuring } from '../test/support/turn-probe.ts';
import { LIST_PATH, openListWorld, SIZES, VIEWS } from './list-world.ts';
import { type Outcome, type ThemeOptions, tally } from './report.ts';
import { spread } from './stats.ts';

const CALLERS = 20;
/** Until all of them wait. */
const UPSTREAM_MS = 100;
const WARM_UP = 3;

export async function measureListTurns({ rounds, progress }: ThemeOptions): Promise<Outcome> {
  const longest = tally();
  for (const filling of Object.keys(FILLINGS)) {
    progress(`lists, longest turn: ${filling}`);
    const list = { ...SIZES.largest, FILLING: filling, DELAY_MS: String(UPSTREAM_MS) };
    const { gateway, headers, close } = await openListWorld(list);
    const agent = new Agent({ keepAlive: true });
    try {
      for (let round = -WARM_UP; round < rounds; round++) {
        for (const view of VIEWS) {
          const url = `${gateway.url}${LIST_PATH}&offset=${(round + WARM_UP) * VIEWS.length + VIEWS.indexOf(view)}`;
          const ask = () => fetchAll(url, headers[view], agent);
          const tookMs = await longestDuring(gateway.process, ask);
          if (round >= 0) longest.add(`${filling}, ${view}`, tookMs);
        }
      }
    } finally {
      agent.destroy();
      await close();
    }
  }
  return {
    tables: [
      {
        title: `The longest turn of the event loop: ${CALLERS} callers of the largest list`,
        notes: [
          '200 jobs in 2 MiB, filled with one thing, asked for by all at once and asked of upstream once. Processor time of the',
          'main thread between two turns, to some 4 ms. Gateway on core 0, callers and upstream on core 1.',
        ],
        columns: ['filled with', ...VIEWS.map((view) => `${view} view, ms`)],
        rows: Object.keys(FILLINGS).map((filling) => [
          filling,
          ...VIEWS.map((view) => spread(longest.of(`${filling}, ${view}`))),
        ]),
      },
    ],
    promises: VIEWS.map((view) => {
      const all = Object.keys(FILLINGS).map((filling) => longest.of(`${filling}, ${view}`));
      const worst = (all[0] ?? []).map((_, round) => Math.max(...all.map((values) => values[round] ?? 0)));
      return { what: `longest turn of any, ${view} view, ms`, bound: 50, better: 'lower', values: worst };
    }),
  };
}

function fetchAll(url: string, headers: Readonly<Record<string, string>>, agent: Agent): Promise<void> {
  const one = () =>
    new Promise<void>((resolve, reject) => {
      get(url, { agent, headers }, (response) => {
        if (response.statusCode !== 200) reject(new Error(`${url} answered ${response.statusCode}`));
        response.resume().once('end', resolve);
      }).once('error', reject);
    });
  return Promise.all(Array.from({ length: CALLERS }, one)).then(() => {});
}
