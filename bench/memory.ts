/** What a cached answer costs in bytes, and what a hit leaves for the collector. */
import { measureGarbage } from './garbage.ts';
import { run } from './processes.ts';
import type { Outcome, ThemeOptions } from './report.ts';
import { number } from './stats.ts';

const ENTRIES = 1_000_000;
/** What must be left aside for a million of them, MiB. */
const HEAP_MB = 6_144;

/** What `probes/fill.ts` prints: bytes per entry, beside `kept`. */
interface Filled {
  readonly kept: number;
  readonly heap: number;
  readonly external: number;
  readonly accounted: number;
  readonly body: number;
  readonly key: number;
}

export async function measureMemory(options: ThemeOptions): Promise<Outcome> {
  options.progress(`memory: ${number(ENTRIES)} entries`);
  const args = ['--expose-gc', `--max-old-space-size=${HEAP_MB}`, 'bench/probes/fill.ts'];
  const env = { ENTRIES: String(ENTRIES) };
  const printed = await run(process.execPath, args, { core: 'any', env, withinMs: 300_000 });
  const filled = JSON.parse(printed) as Filled;
  const { kept, heap, external, accounted, body, key } = filled;
  const overhead = heap + external - body - key;
  const garbage = await measureGarbage(options);
  return {
    tables: [
      {
        title: `Memory of a terminal answer, at ${kept.toLocaleString('en-US')} entries`,
        notes: [
          'The real way in, from a path and upstream bytes to the memory tier; heap after collection, divided.',
          'Accounted: what the tier counts against CACHE_MAX_BYTES.',
        ],
        columns: [
          'bytes per entry',
          'body',
          'key',
          'overhead',
          'overhead x body',
          'accounted',
          'real x accounted',
        ],
        rows: [
          [
            number(heap + external),
            String(body),
            String(key),
            number(overhead),
            (overhead / body).toFixed(2),
            number(accounted),
            ((heap + external) / accounted).toFixed(2),
          ],
        ],
      },
      ...garbage.tables,
    ],
    promises: [
      { what: 'overhead of an entry x its body', bound: 1, better: 'lower', values: [overhead / body] },
      {
        what: 'real bytes of an entry x accounted',
        bound: 1,
        better: 'lower',
        values: [(heap + external) / accounted],
      },
      ...garbage.promises,
    ],
  };
}
