/** The bulkhead (contract §6, #111): slots, a queue with a timeout, urgent work first. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createBulkhead, type QueueOptions } from '../../../src/upstream/bulkhead.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

/** A bulkhead whose work, named by a letter, ends when the test says so. */
function rig(options: { slots: number; queue: number; refuse?: (reason: string) => Error }) {
  const bulkhead = createBulkhead({ queueTimeoutMs: 1_000, ...options });
  const begun: string[] = [];
  const ends = new Map<string, PromiseWithResolvers<string>>();
  return {
    bulkhead,
    begun,
    /** Its outcome, or how it was refused; never rejects. */
    run(name: string, wait?: QueueOptions): Promise<string> {
      const end = Promise.withResolvers<string>();
      ends.set(name, end);
      const work = () => {
        begun.push(name);
        return end.promise;
      };
      return bulkhead.run(work, wait).catch((thrown: Error) => thrown.message);
    },
    async end(name: string, failure?: Error) {
      const { resolve, reject } = ends.get(name)!;
      if (failure === undefined) resolve(name);
      else reject(failure);
      await pass(0);
    },
  };
}

describe('a bulkhead', () => {
  it('runs as many at once as it has slots; the others follow in the order of arrival, also after a failure', async () => {
    const { bulkhead, begun, run, end } = rig({ slots: 2, queue: 10 });
    const all = ['a', 'b', 'c', 'd', 'e'].map((name) => run(name));
    await pass(0);
    expect([begun.join(''), bulkhead.active(), bulkhead.waiting()]).toEqual(['ab', 2, 3]);
    await end('b', new Error('failed'));
    expect([begun.join(''), bulkhead.active(), bulkhead.waiting()]).toEqual(['abc', 2, 2]);
    for (const name of ['a', 'c', 'd', 'e']) await end(name);
    expect(await Promise.all(all)).toEqual(['a', 'failed', 'c', 'd', 'e']);
    expect([bulkhead.active(), bulkhead.waiting()]).toEqual([0, 0]);
  });

  it('lets urgent work go first, whoever came first', async () => {
    const { begun, run, end } = rig({ slots: 1, queue: 10 });
    void run('a');
    void run('b', { isUrgent: false });
    void run('c');
    void run('d', { isUrgent: false });
    void run('e', { isUrgent: true });
    for (const name of ['a', 'c', 'e', 'b', 'd']) await end(name);
    expect(begun.join('')).toBe('acebd');
  });

  it('refuses at once when the queue is full, both kinds together, and after the queue timeout', async () => {
    const { bulkhead, begun, run, end } = rig({ slots: 1, queue: 2 });
    void run('a');
    const waiting = [run('b'), run('c', { isUrgent: false, queueTimeoutMs: 5_000 })];
    expect(await run('d')).toBe('queue_full');
    await pass(999);
    expect(bulkhead.waiting()).toBe(2);
    await pass(1);
    expect(await waiting[0]).toBe('queue_timeout');
    expect(bulkhead.waiting()).toBe(1);
    await pass(4_000);
    expect(await waiting[1]).toBe('queue_timeout');
    await end('a');
    expect([begun.join(''), bulkhead.active(), bulkhead.waiting()]).toEqual(['a', 0, 0]);
  });

  it('refuses with `overloaded`, or in the words of whoever uses it', async () => {
    const full = { slots: 1, queue: 0, queueTimeoutMs: 0 };
    const hang = () => new Promise(() => {});
    const usual = createBulkhead(full);
    void usual.run(hang);
    await expect(usual.run(hang)).rejects.toMatchObject({ code: 'overloaded' });
    const named = createBulkhead({ ...full, refuse: (reason) => new Error(`Redis: ${reason}`) });
    void named.run(hang);
    await expect(named.run(hang)).rejects.toThrow('Redis: queue_full');
  });
});
