/**
 * Spoils what a durable tier holds, value by value: cut, flipped, another id's, another version's, of another type,
 * huge. Works on the bytes at rest, as a disk or a stranger with access to it would.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { LATIN1, type Random } from './random.ts';

/** One table of values by key. */
interface Table {
  readonly name: string;
  readonly key: string;
  /** How much of a value is the store's own envelope: what stands in it is spoilt as well. */
  readonly strict: boolean;
}

const SIDECAR: Table = { name: 'answer_v1', key: 'id', strict: true };
/** Where workerd keeps `storage.kv`: V8's serialization of a string. */
const OBJECT: Table = { name: '_cf_KV', key: 'key', strict: false };

/** One file an object, named by its id; other files are the runtime's own. */
const OBJECT_FILE = /[0-9a-f]{64}\.sqlite$/;

/** Spoils most values of a sidecar's SQLite file; the ids of those left as they were. */
export function spoilFile(path: string, random: Random): Set<string> {
  return spoilTable(path, SIDECAR, random);
}

/** The same for every Durable Object's storage below a folder. */
export function spoilObjects(folder: string, random: Random): Set<string> {
  const files = (readdirSync(folder, { recursive: true }) as string[]).filter((name) =>
    OBJECT_FILE.test(name),
  );
  return new Set(files.flatMap((name) => [...spoilTable(join(folder, name), OBJECT, random)]));
}

function spoilTable(path: string, { name, key, strict }: Table, random: Random): Set<string> {
  const database = new DatabaseSync(path);
  const sound = new Set<string>();
  try {
    const rows = database.prepare(`SELECT ${key} AS id, value FROM ${name}`).all();
    const values = rows.map(({ value }) => Buffer.from(value as Uint8Array));
    const update = database.prepare(`UPDATE ${name} SET value = ? WHERE ${key} = ?`);
    for (const { id, value } of rows) {
      const before = Buffer.from(value as Uint8Array);
      const after = spoil(before, values, random);
      if (after.equals(before)) sound.add(String(id));
      // STRICT takes blobs only; the objects' table takes anything.
      else update.run(!strict && random.chance(0.1) ? random.text(LATIN1, 99) : after, id as string);
    }
  } finally {
    database.close();
  }
  return sound;
}

function spoil(value: Buffer, others: readonly Buffer[], random: Random): Buffer {
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
