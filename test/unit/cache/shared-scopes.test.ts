/** Scopes are shared between the entries of one memory store, and that is never seen. */
import { describe, expect, it } from 'vitest';
import { createEntry } from '../../../src/cache/entry.ts';
import { createSharedScopes, type SharedScopes } from '../../../src/cache/shared-scopes.ts';
import type { JobScope } from '../../../src/domain/job.ts';
import { parseJob } from '../../../src/domain/parse-job.ts';
import { lifetimes, newId } from '../../support/jobs.ts';

function scopeIn(scopes: SharedScopes, source: unknown, database: unknown, collection: unknown): JobScope {
  const id = newId();
  const metadata = { database_name: database, collection_name: collection };
  const job = parseJob(
    id,
    JSON.stringify({ id, status: 'pending', created_at: 1, source_id: source, metadata }),
  );
  if (typeof job === 'string') throw new Error(job);
  const { answer } = scopes.share(createEntry(job, 1, lifetimes));
  if (answer.kind !== 'job') throw new Error(answer.kind);
  expect(answer).toMatchObject({ body: job.body, status: job.status });
  return answer.scope;
}

describe('a scope', () => {
  it('is one object for all jobs of one source, database and collection', () => {
    const scopes = createSharedScopes();
    const of = (...names: [unknown, unknown, unknown]) => scopeIn(scopes, ...names);
    expect(of('s', 'd', 'c')).toBe(of('s', 'd', 'c'));
    expect(of(undefined, 'd', 'c')).toBe(of(undefined, 'd', 'c'));
  });

  it('is never another one’s: what differs anywhere is told apart, whatever came before', () => {
    const scopes = createSharedScopes();
    const names = ['a', 'b', 'a\nb', '', undefined, 7];
    for (const source of names)
      for (const database of names)
        for (const collection of names) {
          const text = (name: unknown) => (typeof name === 'string' ? name : undefined);
          expect(scopeIn(scopes, source, database, collection)).toEqual({
            sourceId: text(source),
            databaseName: text(database),
            collectionName: text(collection),
          });
        }
  });

  it('is not held when its names are long, nor beyond a thousand sources', () => {
    const scopes = createSharedScopes();
    const long = 'x'.repeat(300);
    expect(scopeIn(scopes, long, 'd', 'c')).not.toBe(scopeIn(scopes, long, 'd', 'c'));
    const first = scopeIn(scopes, 'first', 'd', 'c');
    for (let i = 0; i < 1_000; i++) scopeIn(scopes, `source ${i}`, 'd', 'c');
    expect(scopeIn(scopes, 'first', 'd', 'c')).not.toBe(first);
  });

  it('is shared within one store only', () => {
    expect(scopeIn(createSharedScopes(), 's', 'd', 'c')).not.toBe(
      scopeIn(createSharedScopes(), 's', 'd', 'c'),
    );
  });
});
