/** Scopes are shared between jobs, and that is never seen. */
import { describe, expect, it } from 'vitest';
import { type InvocationId, parseJob } from '../../../src/domain/job.ts';
import { newId } from '../../support/jobs.ts';

function scopeOf(source: unknown, database: unknown, collection: unknown) {
  const id: InvocationId = newId();
  const metadata = { database_name: database, collection_name: collection };
  const job = parseJob(
    id,
    JSON.stringify({ id, status: 'pending', created_at: 1, source_id: source, metadata }),
  );
  if (typeof job === 'string') throw new Error(job);
  return job.scope;
}

describe('a scope', () => {
  it('is one object for all jobs of one source, database and collection', () => {
    expect(scopeOf('s', 'd', 'c')).toBe(scopeOf('s', 'd', 'c'));
    expect(scopeOf(undefined, 'd', 'c')).toBe(scopeOf(undefined, 'd', 'c'));
  });

  it('is never another one’s: what differs anywhere is told apart, whatever came before', () => {
    const names = ['a', 'b', 'a\nb', '', undefined, 7];
    for (const source of names)
      for (const database of names)
        for (const collection of names) {
          const text = (name: unknown) => (typeof name === 'string' ? name : undefined);
          expect(scopeOf(source, database, collection)).toEqual({
            sourceId: text(source),
            databaseName: text(database),
            collectionName: text(collection),
          });
        }
  });

  it('is not held when its names are long, nor beyond a thousand sources', () => {
    const long = 'x'.repeat(300);
    expect(scopeOf(long, 'd', 'c')).not.toBe(scopeOf(long, 'd', 'c'));
    const first = scopeOf('first', 'd', 'c');
    for (let i = 0; i < 1_000; i++) scopeOf(`source ${i}`, 'd', 'c');
    expect(scopeOf('first', 'd', 'c')).not.toBe(first);
  });
});
