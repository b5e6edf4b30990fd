/** Grants of single questions, apart from those of watches: which question has which. */
import { parseInvocationId } from '../src/domain/job.ts';
import { GROUP_SIZE, MAX_REMEMBERED } from './bounds.ts';
import type { GrantKeeper } from './grant.ts';

/** One grant, for up to 50 questions that were asked in one turn. */
export interface LooseGrant {
  readonly grants: GrantKeeper;
  /** Whom a new one is for. */
  ids(): string[];
}

/**
 * @param create one more
 * @returns takes what is asked about: an id, lower case, or anything else for a list, whose grant names no id
 */
export function createLooseGrants(create: () => GrantKeeper): (name: string) => LooseGrant {
  const known = new Map<string, LooseGrant>();
  /** Of the newest, while others may join it. */
  let names: string[] = [];
  let newest: LooseGrant;
  return (name) => {
    const own = known.get(name);
    if (own) return own;
    if (names.length % GROUP_SIZE === 0) newest = createOne();
    if (known.size > MAX_REMEMBERED) known.clear();
    names.push(name);
    known.set(name, newest);
    return newest;
  };

  function createOne(): LooseGrant {
    const own: string[] = [];
    names = own;
    return {
      grants: create(),
      ids() {
        // From now on others make one of their own.
        if (names === own) names = [];
        return own.filter(parseInvocationId);
      },
    };
  }
}
