/** Processes of one fleet inside the test's own: a link, a store and a leased source each, as `stores.ts` joins them. */

import type { Store, StoreHealth } from '../../src/cache/store.ts';
import type { Answer, Source } from '../../src/domain/answer.ts';
import type { InvocationId } from '../../src/domain/job.ts';
import { leased } from '../../src/stores/redis/lease.ts';
import { createRedisLink, type RedisLink } from '../../src/stores/redis/link.ts';
import { createRedisStore } from '../../src/stores/redis/store.ts';
import { COMPLETE, eventually, jobOf, lifetimes } from './jobs.ts';

export interface Member {
  readonly link: RedisLink;
  readonly store: Store;
  readonly source: Source;
  /** What the link has told of its health. */
  readonly reports: StoreHealth[];
}

export interface RedisFleet {
  /** Who was asked of upstream, by anybody. */
  readonly asked: InvocationId[];
  /** What upstream does; a test's own. */
  upstream: (id: InvocationId) => Promise<Answer>;
  /** One more process, connected (or told why not). */
  join(options?: { readonly url?: string; readonly deadlineMs?: number }): Promise<Member>;
  close(): Promise<void>;
}

/** All of partition `p`. */
export function createRedisFleet(redisUrl: string): RedisFleet {
  const members: Member[] = [];
  const fleet: RedisFleet = {
    asked: [],
    upstream: async (id) => jobOf(id, COMPLETE),
    async join({ url = redisUrl, deadlineMs = 5_000 } = {}) {
      const reports: StoreHealth[] = [];
      const link = createRedisLink({ url, report: (health) => reports.push(health) });
      const store = createRedisStore({ link, partition: 'p', lifetimes, now: Date.now });
      const chroma: Source = {
        async ask(id) {
          fleet.asked.push(id);
          const answer = await fleet.upstream(id);
          return { answer, answeredAt: Date.now(), cache: 'miss', revalidated: false, stored: false };
        },
      };
      const options = { link, store, partition: 'p', lifetimes, deadlineMs, now: Date.now };
      const member = { link, store, source: leased(chroma, options), reports };
      members.push(member);
      await eventually(() => link.isUp() || reports.length > 0, 2_000);
      return member;
    },
    async close() {
      await Promise.all(members.map(({ store }) => store.close()));
    },
  };
  return fleet;
}
