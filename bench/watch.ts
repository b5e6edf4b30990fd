/** Watching: streams, waits, and what both spare upstream. */
import type { Outcome, ThemeOptions } from './report.ts';
import { measureWatchEconomy } from './watch-economy.ts';
import { measureStreams } from './watch-streams.ts';
import { measureWaits } from './watch-waits.ts';

export async function measureWatch(options: ThemeOptions): Promise<Outcome> {
  const outcomes = [
    await measureStreams(options),
    await measureWaits(options),
    await measureWatchEconomy(options),
  ];
  return {
    tables: outcomes.flatMap(({ tables }) => tables),
    promises: outcomes.flatMap(({ promises }) => promises),
  };
}
