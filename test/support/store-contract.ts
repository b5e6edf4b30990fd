/**
 * What every durable tier promises, on the real thing: a file, a redis-server, workerd. One suite; each adapter
 * brings a place to keep them in. The memory tier is another port, synchronous, and tells its own: memory-store.test.ts.
 */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createEntry, deleteAtOf, type Entry } from '../../src/cache/entry.ts';
import type { Store } from '../../src/cache/store.ts';
import { encodeEntry } from '../../src/cache/stored-value.ts';
import type { InvocationId } from '../../src/domain/job.ts';
import { bodyOf, COMPLETE, entryOf, eventually, FAILED, lifetimes, newId } from './jobs.ts';

/** One place to store, empty at first. */
export interface StorePlace {
  /** Another process's view of the same place. Closed by the suite. */
  open(partition: string): Promise<Store>;
  /** Puts bytes where the entry of an id is kept, past every check. */
  write(partition: string, id: InvocationId, bytes: Buffer): Promise<void>;
  /** The bytes there, if any. */
  read(partition: string, id: InvocationId): Promise<Buffer | undefined>;
  remove(): Promise<void>;
}

export interface StoreTraits {
  /** Keeps in-flight answers too, for a fleet. */
  readonly inFlight: boolean;
  /** One place holds several. */
  readonly partitions: boolean;
  /** Keeps nothing that is put after `close`. */
  readonly letsGo: boolean;
  /** A plain put after a delete is kept at once; in a fleet only what was asked for after it (its lease tells). */
  readonly keepsAfterDelete: boolean;
  /** The largest value that the place itself takes. */
  readonly maxWrittenBytes: number;
}

/** The contract's promise: in the store within this long of the put. */
const DURABLE_MS = 250;
/** On a machine shared with other suites. */
const SLACK_MS = 2_000;
/** Reads under way together in the race: an adapter may send them as one. */
const AT_ONCE = 50;

export function describeStore(traits: StoreTraits, makePlace: () => Promise<StorePlace>): void {
  let place: StorePlace;
  let opened: Store[];

  beforeEach(async () => {
    place = await makePlace();
    opened = [];
  });
  afterEach(async () => {
    await Promise.all(opened.map((store) => store.close()));
    await place.remove();
  });

  async function open(partition = 'p'): Promise<Store> {
    const store = await place.open(partition);
    opened.push(store);
    return store;
  }

  /** Seen by another process. */
  function seen(store: Store, id: InvocationId): Promise<Entry | undefined> {
    return eventually(() => store.get(id), DURABLE_MS + SLACK_MS);
  }

  it('has nothing for an id that nobody put', async () => {
    expect(await (await open()).get(newId())).toBeUndefined();
  });

  it.each([COMPLETE, FAILED, 'cancelled'])(
    'shows %j to another process within 250 ms, whole (#92)',
    async (status) => {
      const [ours, theirs] = [await open(), await open()];
      const id = newId();
      const entry = entryOf(id, status, 1_795_435_200_123, 'ü – 😀\u0000\uFEFF');
      const put = performance.now();
      ours.put(id, entry);
      expect(await seen(theirs, id)).toEqual(entry);
      expect(performance.now() - put).toBeLessThan(DURABLE_MS);
    },
  );

  it('keeps a terminal answer when everybody has closed and one opens again, its ETag the same (#92)', async () => {
    const before = await open();
    const id = newId();
    const entry = entryOf(id, COMPLETE);
    before.put(id, entry);
    await before.close();
    const after = await (await open()).get(id);
    expect(after).toEqual(entry);
    expect(after?.etag).toBe(entry.etag);
    expect(deleteAtOf(after!)).toBe(Infinity);
  });

  it('#199 forgets what is deleted, for good and for everybody, and keeps what is put after that', async () => {
    const [ours, theirs] = [await open(), await open()];
    const id = newId();
    const other = newId();
    ours.put(other, entryOf(other, COMPLETE));
    ours.put(id, entryOf(id, FAILED));
    await seen(theirs, id);
    await theirs.delete(id);
    expect([await ours.get(id), await theirs.get(id)]).toEqual([undefined, undefined]);
    expect(await seen(ours, other)).toBeDefined();
    await Promise.all([ours.close(), theirs.close()]);
    const later = await open();
    expect(await later.get(id)).toBeUndefined();
    await later.delete(id); // nothing is there: done
    if (!traits.keepsAfterDelete) return;
    later.put(id, entryOf(id, COMPLETE));
    expect((await seen(await open(), id))?.answer).toMatchObject({ status: 'complete' });
  });

  it('#199 a put that still waits does not outlive a delete', async () => {
    const store = await open();
    const id = newId();
    store.put(id, entryOf(id, FAILED));
    await store.delete(id);
    expect(await store.get(id)).toBeUndefined();
    await store.close();
    expect(await (await open()).get(id)).toBeUndefined();
  });

  it('reads its own put at once or a moment later, never something else', async () => {
    const store = await open();
    const id = newId();
    store.put(id, entryOf(id, COMPLETE, 1, 'own'));
    expect(bodyOf(await seen(store, id))).toContain('own');
  });

  it('never replaces a terminal answer, whoever comes, from whichever process (#81, #82)', async () => {
    const [ours, theirs] = [await open(), await open()];
    const id = newId();
    const first = entryOf(id, COMPLETE, 1_000);
    ours.put(id, first);
    await seen(theirs, id);
    for (const store of [ours, theirs]) {
      store.put(id, entryOf(id, 'processing', 9_000_000_000_000));
      store.put(id, entryOf(id, FAILED, 9_000_000_000_000));
      store.put(id, entryOf(id, COMPLETE, 9_000_000_000_000, 'later'));
      store.put(id, createEntry({ kind: 'missing' }, 9_000_000_000_000, lifetimes));
    }
    await Promise.all([ours.close(), theirs.close()]);
    expect(await (await open()).get(id)).toEqual(first);
  });

  it('never keeps a 404 (#84)', async () => {
    const store = await open();
    const id = newId();
    store.put(id, createEntry({ kind: 'missing' }, Date.now(), lifetimes));
    await store.close();
    expect(await place.read('p', id)).toBeUndefined();
  });

  it(`${traits.inFlight ? 'shares' : 'does not keep'} an in-flight answer`, async () => {
    const store = await open();
    const id = newId();
    const entry = entryOf(id, 'processing');
    store.put(id, entry);
    await store.close();
    expect(await (await open()).get(id)).toEqual(traits.inFlight ? entry : undefined);
  });

  it.runIf(traits.partitions)('keeps partitions apart (#42)', async () => {
    const [ours, theirs] = [await open('account-a'), await open('account-b')];
    const id = newId();
    ours.put(id, entryOf(id, COMPLETE, 1, 'a'));
    theirs.put(id, entryOf(id, COMPLETE, 1, 'b'));
    await Promise.all([ours.close(), theirs.close()]);
    expect(bodyOf(await (await open('account-a')).get(id))).toContain('"a"');
    expect(bodyOf(await (await open('account-b')).get(id))).toContain('"b"');
    expect(await (await open('account-c')).get(id)).toBeUndefined();
  });

  const anyPartition =
    'takes any partition at its word: quotes, NUL, colons, a megabyte, SQL, nothing (#43, #106)';
  it.runIf(traits.partitions)(anyPartition, async () => {
    const id = newId();
    const partitions = [
      '',
      ':',
      '::',
      "'",
      '"',
      '\0',
      '\0\0',
      'a\0b',
      'a',
      '../../x',
      '*',
      `${id}`,
      'é',
      'é'.normalize('NFD'),
    ];
    partitions.push("'; DROP TABLE answer_v1; --", 'x'.repeat(1_048_576), `${'x'.repeat(1_048_576)}y`);
    const stores = await Promise.all(partitions.map(open));
    for (const [n, store] of stores.entries()) store.put(id, entryOf(id, COMPLETE, n));
    await Promise.all(stores.map((store) => store.close()));
    for (const [n, partition] of partitions.entries()) {
      const store = await open(partition);
      expect((await store.get(id))?.answeredAt, JSON.stringify(partition.slice(0, 40))).toBe(n);
      await store.close();
    }
  });

  it('takes odd bytes for a miss and deletes them (#97)', async () => {
    const store = await open();
    for (const [what, id, bytes] of oddValues(traits.maxWrittenBytes)) {
      await place.write('p', id, bytes);
      expect(await store.get(id), what).toBeUndefined();
      const left = await eventually(
        () => place.read('p', id),
        SLACK_MS,
        (held) => held === undefined,
      );
      expect(left, what).toBeUndefined();
    }
    expect(store.health().ok).toBe(true);
  });

  it('keeps the next answer in the place of odd bytes, however soon it comes (#97)', async () => {
    const store = await open();
    for (const [what, id, bytes] of oddValues(traits.maxWrittenBytes)) {
      await place.write('p', id, bytes);
      expect(await store.get(id), what).toBeUndefined();
      const entry = entryOf(id, COMPLETE, 5);
      store.put(id, entry);
      const good = Buffer.from(encodeEntry(id, entry)!);
      const left = await eventually(
        () => place.read('p', id),
        SLACK_MS,
        (held) => held?.equals(good) === true,
      );
      expect(left?.equals(good), what).toBe(true);
      expect(bodyOf(await store.get(id)), what).toBe(bodyOf(entry));
    }
    expect(store.health().ok).toBe(true);
  });

  it('loses no race: 100,000 puts from two processes, and what was terminal once stays what it was (#86)', async () => {
    const [stores, observer] = [[await open(), await open()], await open()];
    const ids = Array.from({ length: 5_000 }, newId);
    const states = ['pending', 'processing', COMPLETE, FAILED, 'cancelled'];
    const put = new Map<InvocationId, Set<string | undefined>>();
    const known = new Map<InvocationId, string | undefined>();
    let regressions = 0;
    async function observe(): Promise<void> {
      for (let from = 0; from < ids.length; from += AT_ONCE) {
        await Promise.all(ids.slice(from, from + AT_ONCE).map(observeOne));
      }
    }
    async function observeOne(id: InvocationId): Promise<void> {
      const entry = await observer.get(id);
      const body = entry?.lifetimeClass === 'terminal' ? bodyOf(entry) : undefined;
      if (known.has(id) ? known.get(id) !== body : body !== undefined && !put.get(id)?.has(body))
        regressions++;
      if (body !== undefined) known.set(id, body);
    }

    for (let round = 0; round < 10; round++) {
      for (const [n, id] of ids.entries()) {
        for (const store of stores) {
          const at = 1_000 + Math.floor(Math.random() * 10_000);
          const entry = entryOf(
            id,
            states[Math.floor(Math.random() * states.length)],
            at,
            `${Math.random()}`,
          );
          store.put(id, entry);
          if (entry.lifetimeClass === 'terminal') put.set(id, (put.get(id) ?? new Set()).add(bodyOf(entry)));
        }
        if (n % 250 === 0) await new Promise(setImmediate);
      }
      await observe();
    }
    await Promise.all(stores.map((store) => store.close()));
    await observe();
    expect(put.size).toBeGreaterThan(4_900);
    expect(known.size).toBe(put.size);
    expect(regressions).toBe(0);
  }, 120_000);

  it('may be closed twice, put to after that, and read', async () => {
    const store = await open();
    const id = newId();
    await store.close();
    await store.close();
    const late = entryOf(id, COMPLETE);
    store.put(id, late);
    expect(await store.get(id)).toEqual(traits.letsGo ? undefined : late);
  });
}

function* oddValues(maxBytes: number): Generator<readonly [what: string, id: InvocationId, bytes: Buffer]> {
  const goodValue = (id: InvocationId) => Buffer.from(encodeEntry(id, entryOf(id, COMPLETE, 1, 'odd'))!);
  const odd = (what: string, change: (value: Buffer) => Buffer) => {
    const id = newId();
    return [what, id, change(goodValue(id))] as const;
  };
  yield odd('one byte', () => Buffer.from('x'));
  yield odd('truncated', (value) => value.subarray(0, value.length - 1));
  yield odd('half', (value) => value.subarray(0, value.length / 2));
  yield odd('a byte too many', (value) => Buffer.concat([value, Buffer.from(' ')]));
  yield odd('of another id', () => goodValue(newId()));
  yield odd('a newer version', (value) => Buffer.concat([Buffer.from('2'), value.subarray(1)]));
  yield odd('no header', (value) => value.subarray(value.indexOf('\n') + 1));
  yield odd('huge', () => Buffer.alloc(maxBytes, 'x'));
  yield odd('huge with a good head', (value) =>
    Buffer.concat([value, Buffer.alloc(maxBytes - value.length, ' ')]),
  );
  yield odd('not UTF-8', (value) => Buffer.concat([value.subarray(0, -3), Buffer.from([0xff, 0xfe, 0x7d])]));
  for (const bit of [0, 5, 77, 300, 700, 1_100]) {
    yield odd(`bit ${bit} flipped`, (value) => {
      value[bit >> 3]! ^= 1 << (bit & 7);
      return value;
    });
  }
}
