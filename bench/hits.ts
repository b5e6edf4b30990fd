/** Hits a second on one core, 304s, and how long the slowest hundredth takes at a fixed rate. */
import { type Contender, startField } from './contenders.ts';
import { cpuMs } from './cpu.ts';
import { pace } from './pace.ts';
import { type Outcome, type Promised, type Table, type Tally, type ThemeOptions, tally } from './report.ts';
import { median, number, quantile, ratio, ratios, spread } from './stats.ts';
import { needs } from './tools.ts';
import { wrk } from './wrk.ts';

const PACED_TURNS = 6;
const RATE = 5_000;
/** Those whose p99 is taken too. */
const PACED = ['gateway, silent', 'gateway, default log to a file', 'bare node:http'];

/** What the rounds brought, by contender. */
interface Figures {
  readonly perSecond: Tally;
  /** Processor time per request, µs. */
  readonly cpu: Tally;
  /** At the fixed rate, ms. */
  readonly p50: Tally;
  readonly p99: Tally;
  /** Of the whole answer. */
  readonly bytes: Tally;
}

export async function measureHits(options: ThemeOptions): Promise<Outcome> {
  if (!needs('wrk')) return { tables: [], promises: [] };
  const figures = { perSecond: tally(), cpu: tally(), p50: tally(), p99: tally(), bytes: tally() };
  for (let round = 0; round < options.rounds; round++) await measureRound(round, options, figures);
  return { tables: [hitTable(figures), pacedTable(figures)], promises: promises(figures) };
}

/** With new processes each time: one process is some percent faster than another of the same code, for life. */
async function measureRound(round: number, { rounds, seconds, progress }: ThemeOptions, figures: Figures) {
  const step = (what: string) => progress(`hits, round ${round + 1} of ${rounds}: ${what}`);
  step('starting everybody');
  const { contenders, close } = await startField();
  try {
    for (const contender of contenders) await warmUp(contender);
    // Everybody's turn comes early and late equally often.
    for (const contender of [...contenders.slice(round), ...contenders.slice(0, round)]) {
      const { name, pid, answer, emptyLog } = contender;
      step(name);
      const before = cpuMs(pid);
      const { perSecond, requests } = await wrk({ ...contender, seconds });
      figures.perSecond.add(name, perSecond);
      figures.cpu.add(name, ((cpuMs(pid) - before) * 1_000) / requests);
      figures.bytes.add(name, answer.bytes);
      emptyLog?.();
    }
    await measurePaced(contenders, seconds, step, figures);
  } finally {
    await close();
  }
}

/**
 * Several short turns each, everybody first equally often: neither one stall of the machine nor the others'
 * clean-up after the load before must be one contender's whole figure.
 */
async function measurePaced(
  contenders: readonly Contender[],
  seconds: number,
  step: (what: string) => void,
  { p50, p99 }: Figures,
) {
  const paced = contenders.filter(({ name }) => PACED.includes(name));
  const times = new Map<string, number[]>(paced.map(({ name }) => [name, []]));
  for (let turn = 0; turn < PACED_TURNS; turn++) {
    const first = turn % paced.length;
    for (const contender of [...paced.slice(first), ...paced.slice(0, first)]) {
      step(`${contender.name} at ${RATE} a second`);
      times.get(contender.name)?.push(...(await pace({ ...contender, rate: RATE, seconds: seconds / 2 })));
      contender.emptyLog?.();
    }
  }
  for (const [name, all] of times) {
    p50.add(name, quantile(all, 0.5));
    p99.add(name, quantile(all, 0.99));
  }
}

async function warmUp(contender: Contender): Promise<void> {
  await wrk({ ...contender, seconds: 2 });
  contender.emptyLog?.();
}

function hitTable({ perSecond, cpu, bytes }: Figures): Table {
  return {
    title: 'Hits, one core',
    notes: [
      'wrk -t1 -c32, kept-alive connections; the server on core 0, wrk on core 1. Medians of the rounds and, in',
      'brackets, smallest and largest; ratios round by round, 304s to 304s. CPU: processor time per request,',
      'and bare divided by it. The log file is on the disk that nginx logs to as well; the pipe is read on core 1.',
    ],
    columns: ['who answers', 'requests/s', 'x bare', 'x nginx', 'CPU, µs', 'CPU: x bare', 'bytes'],
    rows: perSecond.names().map((name) => {
      const own = perSecond.of(name);
      const suffix = name.endsWith(', 304') ? ', 304' : '';
      return [
        name,
        spread(own),
        spread(ratios(own, perSecond.of(`bare node:http${suffix}`)), ratio),
        spread(ratios(own, perSecond.of(`nginx proxy_cache${suffix}`)), ratio),
        spread(cpu.of(name)),
        spread(ratios(cpu.of(`bare node:http${suffix}`), cpu.of(name)), ratio),
        number(median(bytes.of(name))),
      ];
    }),
  };
}

function pacedTable({ p50, p99 }: Figures): Table {
  return {
    title: `Hits at ${RATE.toLocaleString('en-US')} a second`,
    notes: ['An open loop over 32 connections: a request counts from the moment it was due.'],
    columns: ['who answers', 'p50, ms', 'p99, ms', 'p99 x bare'],
    rows: p99
      .names()
      .map((name) => [
        name,
        spread(p50.of(name)),
        spread(p99.of(name)),
        spread(ratios(p99.of(name), p99.of('bare node:http')), ratio),
      ]),
  };
}

function promises({ perSecond, p99 }: Figures): Promised[] {
  const faster = (what: string, bound: number, name: string, reference: string): Promised => {
    return { what, bound, better: 'higher', values: ratios(perSecond.of(name), perSecond.of(reference)) };
  };
  const [silent, logged, bare, nginx] = PACED.concat('nginx proxy_cache') as [string, string, string, string];
  const slower = ratios(p99.of(silent), p99.of(bare));
  return [
    faster('hits x bare node:http', 0.9, silent, bare),
    faster('hits x nginx', 0.95, silent, nginx),
    faster('default log x nginx with a JSON log', 0.85, logged, `${nginx}, JSON log`),
    faster('AUTH=grant x without', 0.93, `${silent}, AUTH=grant`, silent),
    { what: `p99 at ${RATE.toLocaleString('en-US')}/s x bare`, bound: 1.5, better: 'lower', values: slower },
  ];
}
