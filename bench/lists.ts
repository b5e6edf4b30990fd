/** Lists: what they cost beside lookups, how long they hold the event loop up, and what lookups notice of them. */
import { measureListCosts } from './list-costs.ts';
import { measureListHang } from './list-hang.ts';
import { measureListTurns } from './list-turns.ts';
import type { Outcome, ThemeOptions } from './report.ts';

export async function measureLists(options: ThemeOptions): Promise<Outcome> {
  const outcomes = [
    await measureListCosts(options),
    await measureListTurns(options),
    await measureListHang(options),
  ];
  return {
    tables: outcomes.flatMap(({ tables }) => tables),
    promises: outcomes.flatMap(({ promises }) => promises),
  };
}
