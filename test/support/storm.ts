/**
 * A process for the crash test: storms of terminal puts into one SQLite file until somebody kills it.
 * Prints one line per storm, after its puts: `EPOCHMS ID ID …`.
 * @example node test/support/storm.ts FILE
 */
import { openSqliteStore } from '../../src/stores/sqlite/store.ts';
import { COMPLETE, entryOf, lifetimes, newId } from './jobs.ts';

const store = await openSqliteStore({
  path: process.argv[2]!,
  partition: 'storm',
  lifetimes,
  report: (health) => console.error(health),
});
for (;;) {
  const ids = Array.from({ length: 1 + Math.floor(Math.random() * 80) }, newId);
  for (const id of ids) store.put(id, entryOf(id, COMPLETE, 1, id.repeat(10)));
  process.stdout.write(`${Date.now()} ${ids.join(' ')}\n`);
  await new Promise((resolve) => setTimeout(resolve, Math.random() * 20));
}
