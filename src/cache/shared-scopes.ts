/** Jobs of one source have one scope: an object for each of them would be a fifth of all that an entry costs. */
import type { JobScope } from '../domain/job.ts';
import type { Entry } from './entry.ts';

export interface SharedScopes {
  /** The same entry, with the scope object that others like it already have, if there is one. */
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
      if (answer.kind === 'missing') return entry;
      const { scope } = answer;
      const known = scopes.get(scope.sourceId);
      if (known !== undefined && isEqual(known, scope))
        return { ...entry, answer: { ...answer, scope: known } };
      if (lengthOf(scope) > MAX_SHARED_LENGTH) return entry;
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

function lengthOf({ sourceId = '', databaseName = '', collectionName = '' }: JobScope): number {
  return sourceId.length + databaseName.length + collectionName.length;
}
