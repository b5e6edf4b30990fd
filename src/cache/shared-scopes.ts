/** Jobs of one source have one scope: an object for each of them would be a fifth of all that an entry costs. */
import type { JobScope } from '../domain/job.ts';
import type { Entry } from './entry.ts';

export interface SharedScopes {
  /** The very same entry, or, where others like it have a scope object already, one with that. */
  share(entry: Entry): Entry;
}

const MAX_SCOPES = 1_000;
/** Of the three names together, in characters: longer ones are not kept beyond their entry's life. */
const MAX_SHARED_LENGTH = 256;

/** None at first; at most a thousand sources, the newest scope of each. */
export function createSharedScopes(): SharedScopes {
  const scopes = new Map<string | undefined, JobScope>();

  return {
    share(entry) {
      const { answer } = entry;
      if (answer.kind !== 'job') return entry;
      const { scope } = answer;
      const known = scopes.get(scope.sourceId);
      if (known !== undefined && isEqual(known, scope))
        return { ...entry, answer: { ...answer, scope: known } };
      if (namesOf(scope).length > MAX_SHARED_LENGTH) return entry;
      if (scopes.size >= MAX_SCOPES) scopes.clear();
      scopes.set(scope.sourceId, scope);
      return entry;
    },
  };
}

function isEqual(a: JobScope, b: JobScope): boolean {
  return (
    a.sourceId === b.sourceId && a.databaseName === b.databaseName && a.collectionName === b.collectionName
  );
}

/**
 * What the names of an entry's scope cost where it shares them with no other: they are copies, not parts of the body.
 * V8 keeps a string in one byte per character until one of them needs two.
 */
export function ownScopeBytes({ answer }: Entry): number {
  if (answer.kind !== 'job') return 0;
  const names = namesOf(answer.scope);
  return /[^\0-\xff]/.test(names) ? 2 * names.length : names.length;
}

function namesOf({ sourceId = '', databaseName = '', collectionName = '' }: JobScope): string {
  return sourceId + databaseName + collectionName;
}
