/** Watching: streams, waits, and what both spare upstream. */
import type { Outcome, ThemeOptions } from './report.ts';
import { measureStreams } from './watch-streams.ts';

export async function measureWatch(options: ThemeOptions): Promise<Outcome> {
  const outcomes = [await measureStreams(options)];
  return {
    tables: outcomes.flatMap(({ tables }) => tables),
    promises: outcomes.flatMap(({ promises }) => promises),
  };
}
