/**
 * `npm run bench`: every figure of docs/performance.md in one run, everybody side by side, round by round.
 * Loopback only; ends by itself, and with it everything it started.
 * @example npm run bench -- --only hits,misses --rounds 3 --seconds 2 --markdown
 */
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { othersShare } from './cpu.ts';
import { measureEconomy } from './economy.ts';
import { measureHits } from './hits.ts';
import { measureLists } from './lists.ts';
import { measureMemory } from './memory.ts';
import { measureMetrics } from './metrics.ts';
import { measureMisses } from './misses.ts';
import { PINNED, pinMyself } from './processes.ts';
import { type Outcome, render, type ThemeOptions } from './report.ts';
import { measureSizing } from './sizing.ts';
import { measureStart } from './start.ts';
import { missingTools, needs } from './tools.ts';
import { measureWatch } from './watch.ts';

const THEMES: Record<string, (options: ThemeOptions) => Promise<Outcome>> = {
  hits: measureHits,
  misses: measureMisses,
  economy: measureEconomy,
  memory: measureMemory,
  start: measureStart,
  watch: measureWatch,
  metrics: measureMetrics,
  sizing: measureSizing,
  lists: measureLists,
};

/** More of the cores than this in other hands, and figures are noise. */
const BUSY = 0.05;
/** However stuck something is. */
const LIMIT_MS = 2 * 3_600_000;

const USAGE = `usage: npm run bench -- [options]
  --only LIST    of ${Object.keys(THEMES).join(', ')}
  --rounds N     1 to 100; 5 unless given
  --seconds N    of each measurement, 1 to 60; 2 unless given
  --markdown     tables as docs/performance.md has them
`;

const options = readOptions();
if (options === undefined) {
  process.stderr.write(USAGE);
  process.exitCode = 64; // sysexits' EX_USAGE
} else {
  await bench(options);
}

async function bench({ only, rounds, seconds, markdown }: NonNullable<ReturnType<typeof readOptions>>) {
  needs('taskset');
  pinMyself();
  const others = await othersShare();
  const progress = (line: string) => process.stderr.write(`${line}\n`);
  const outcomes: Outcome[] = [];
  const failures: string[] = [];
  setTimeout(() => process.exit(70), LIMIT_MS).unref(); // EX_SOFTWARE
  for (const theme of only) {
    try {
      outcomes.push(await THEMES[theme]!({ rounds, seconds, progress }));
    } catch (error) {
      failures.push(`${theme}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  const { length: cores, 0: core } = cpus();
  const machine = `${cores} x ${core?.model.trim() ?? 'unknown'}, Node ${process.version}`;
  const doubts = [
    ...(PINNED ? [] : ['NOTHING WAS PINNED: ratios mean little']),
    ...(others > BUSY ? [`THE MACHINE WAS BUSY: ${Math.round(others * 100)} % before it began`] : []),
  ];
  const heading = [machine, `${rounds} rounds of ${seconds} s`, ...doubts].join('; ');
  process.stdout.write(`${heading}\n\n${render(outcomes, markdown)}`);
  for (const line of missingTools()) process.stdout.write(`\nskipped: ${line}\n`);
  for (const failure of failures) process.stderr.write(`\nfailed: ${failure}\n`);
  if (failures.length > 0) process.exitCode = 1;
}

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        only: { type: 'string', default: Object.keys(THEMES).join(',') },
        rounds: { type: 'string', default: '5' },
        seconds: { type: 'string', default: '2' },
        markdown: { type: 'boolean', default: false },
      },
    });
    const only = values.only.split(',');
    const rounds = Number(values.rounds);
    const seconds = Number(values.seconds);
    const whole = (value: number, max: number) => Number.isInteger(value) && value >= 1 && value <= max;
    const known = only.every((theme) => Object.hasOwn(THEMES, theme));
    return known && whole(rounds, 100) && whole(seconds, 60)
      ? { only, rounds, seconds, markdown: values.markdown }
      : undefined;
  } catch {
    return undefined;
  }
}
