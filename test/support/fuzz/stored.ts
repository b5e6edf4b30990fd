/**
 * Spoils what a durable tier holds, value by value: cut, flipped, another id's, another version's, of another type,
 * huge. Works on the bytes at rest, as a disk or a stranger with access to it would.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { LATIN1, type Random } from './random.ts';

/** What becomes of one value; the same bytes are a value left alone. */
export type Spoil = (value: Buffer, others: readonly Buffer[]) => Buffer;

const TABLES = {
  /** A sidecar's own; STRICT. */
  node: { name: 'answer_v1', key: 'id' },
  /** Where workerd keeps `storage.kv`: V8's serialization of a string. */
  workerd: { name: '_cf_KV', key: 'key' },
};

/** One file per object, named by its id; other files are the runtime's own. */
const OBJECT_FILE = /[0-9a-f]{64}\.sqlite$/;

/**
 * Spoils the stored values of a gateway that has ended; gives back the ids of those that were left alone.
 * @param at a sidecar's SQLite file, or the folder of workerd's objects
 */
export function spoilStored(runtime: keyof typeof TABLES, at: string, spoil: Spoil): Set<string> {
  if (runtime === 'node') return spoilTable(at, runtime, spoil);
  const files = (readdirSync(at, { recursive: true }) as string[]).filter((name) => OBJECT_FILE.test(name));
  return new Set(files.flatMap((name) => [...spoilTable(join(at, name), runtime, spoil)]));
}

function spoilTable(path: string, runtime: keyof typeof TABLES, spoil: Spoil): Set<string> {
  const { name, key } = TABLES[runtime];
  const database = new DatabaseSync(path);
  const sound = new Set<string>();
  try {
    const rows = database.prepare(`SELECT ${key} AS id, value FROM ${name}`).all();
    const values = rows.map(({ value }) => Buffer.from(value as Uint8Array));
    const update = database.prepare(`UPDATE ${name} SET value = ? WHERE ${key} = ?`);
    rows.forEach(({ id }, index) => {
      const after = spoil(values[index]!, values);
      if (after.equals(values[index]!)) sound.add(String(id));
      else update.run(after, id as string);
    });
  } finally {
    database.close();
  }
  return sound;
}

/** Leaves about an eighth of all values alone. */
export function createSpoil(random: Random): Spoil {
  return (value, others) => spoilt(value, others, random);
}

function spoilt(value: Buffer, others: readonly Buffer[], random: Random): Buffer {
  const at = random.int(value.length);
  const changed = Buffer.from(value);
  return random.weighted<Buffer>([
    [2, () => value],
    [2, () => value.subarray(0, at)],
    [1, () => value.subarray(at)],
    [
      4,
      () => {
        changed[at] = changed[at]! ^ (1 << random.int(8));
        return changed;
      },
    ],
    [2, () => random.pick(others)],
    [1, () => Buffer.concat([value, Buffer.from(random.text(LATIN1, 20), 'latin1')])],
    [
      1,
      () =>
        Buffer.from(
          value.toString('latin1').replace('1 3 ', random.pick(['2 3 ', '1 1 ', '0 3 ', '1 3'])),
          'latin1',
        ),
    ],
    [1, () => Buffer.from(value.toString('latin1').replace(/\n\{/, '\n{"x":1,'), 'latin1')],
    [1, () => Buffer.from(random.text(LATIN1, 300), 'latin1')],
    [0.05, () => Buffer.alloc(2_000_000, '1 3 ')],
    [0.5, () => Buffer.alloc(0)],
  ]);
}
