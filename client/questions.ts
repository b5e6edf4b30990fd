/** What is asked once, apart from all watches: one job, or a list of jobs (contract §12, §13). */
import { parseInvocationId } from '../src/domain/job.ts';
import type { GatewayError } from './error.ts';
import type { GrantKeeper } from './grant.ts';
import { type Invocation, invocationOf, invocationsOf } from './invocation.ts';
import { createLooseGrants, type LooseGrant } from './loose-grants.ts';
import { untilAborted } from './pause.ts';
import { type Gateway, lookUp, parseJson, unexpected } from './request.ts';
import { invalidId } from './watches.ts';

export interface AskOptions {
  /** Aborting rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** Name a source or a database; neither is for those who may read everything. */
export interface ListOptions extends AskOptions {
  /** UUID. */
  readonly sourceId?: string | undefined;
  readonly databaseName?: string | undefined;
  /** 1 to 200; 100 where it is left out. */
  readonly limit?: number | undefined;
  /** How many of the newest are passed over, up to 1,000,000. */
  readonly offset?: number | undefined;
}

/** As the client has them. */
export interface Questions {
  get(id: string, options?: AskOptions): Promise<Invocation>;
  list(options?: ListOptions): Promise<Invocation[]>;
}

/** @param createGrants makes one more, for questions of one moment */
export function createQuestions(gateway: Gateway, createGrants: () => GrantKeeper): Questions {
  const grantForJob = createLooseGrants(createGrants);
  const grantForList = createLooseGrants(createGrants);

  /**
   * Once, and once more with a fresh grant after a 401.
   * @param name whose grant: an id, or where a list is from
   * @param read `undefined` for what was not asked for
   */
  async function ask<T>(
    path: string,
    grantFor: (name: string) => LooseGrant,
    name: string,
    read: (body: unknown) => T | undefined,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    if (signal?.aborted) throw signal.reason;
    const { grants, ids } = grantFor(name);
    for (let isFirst = true; ; isFirst = false) {
      const grant = await untilAborted(grants.take(ids), signal);
      try {
        const { text } = await lookUp(gateway, path, { grant: grant.token, signal });
        grants.accepted();
        const answer = read(parseJson(text));
        if (!answer) throw unexpected();
        return answer;
      } catch (error) {
        // What an abort gives as its reason may be anything.
        const isRefused = (error as GatewayError | undefined)?.status === 401;
        if (!isRefused) grants.accepted();
        if (!isRefused || !grants.refused(grant) || !isFirst) throw error;
      }
    }
  }

  return {
    async get(id, { signal } = {}) {
      const key = parseInvocationId(id);
      if (!key) throw invalidId();
      return ask(`/${key}`, grantForJob, key, (body) => invocationOf(key, body), signal);
    },
    async list({ sourceId, databaseName, limit, offset, signal } = {}) {
      const given = { source_id: sourceId, database_name: databaseName, limit, offset };
      const query = Object.entries(given).flatMap(([name, value]) =>
        value === undefined ? [] : `${name}=${encodeURIComponent(value)}`,
      );
      // What is from elsewhere may be newer than the grant.
      return ask(`?${query.join('&')}`, grantForList, `${sourceId}/${databaseName}`, invocationsOf, signal);
    },
  };
}
