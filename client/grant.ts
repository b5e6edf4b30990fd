/**
 * One grant for up to 50 ids, fetched when it is needed and kept until it is refused or has ended (contract §13). A fetch
 * is shared by all who wait for it, and after a failure the grant route is left alone for a while.
 */
import { GatewayError } from './error.ts';
import { backOffMs, clock, createLeash, type Leash, sleep, untilAborted } from './pause.ts';
import { type Fetch, IS_BROWSER } from './request.ts';

/**
 * How the client comes by grants: a path or URL that speaks `grantRoute` (asked by POST, with the page's own
 * credentials), or a function that asks your back end in your own way. It is called with at most 50 ids, lower case; with
 * none for a list.
 * What it throws is tried again, except a {@link GatewayError} with the code `unauthorized`.
 */
export type GrantSource = string | ((ids: string[]) => Promise<string>);

/** Grants of the same second can be the same text: they are told apart by identity. */
export interface Grant {
  /** None where the gateway asks for none. */
  readonly token?: string;
}

export interface GrantKeeper {
  /**
   * The grant, fetched where there is none; after a failure only when it is time for another try.
   * @param ids lower case, for a fetch
   * @throws GatewayError `unauthorized`, or `grant_unavailable`
   */
  take(ids: () => string[]): Promise<Grant>;
  /** It has ended, or may not cover all. Nothing happens where there is another by now. */
  drop(grant: Grant): void;
  /** The gateway took one. */
  accepted(): void;
  /**
   * The gateway answered 401.
   * @returns whether another is worth a try: a grant that was fetched after a 401 and gets one itself is the last
   */
  refused(grant: Grant): boolean;
  /** Forgets that others failed, and asks at once. @param isDead what is under way will not be answered, or is not wanted */
  reset(isDead: boolean): void;
}

const FETCH_MS = 10_000;

/** @param random 0 up to 1 */
export function createGrantKeeper(
  source: GrantSource | undefined,
  fetch: Fetch,
  random: () => number,
): GrantKeeper {
  let current: Grant | undefined = source === undefined ? {} : undefined;
  let pending: Promise<Grant> | undefined;
  let leash: Leash | undefined;
  /** It is more than a pause. */
  let isAsking = false;
  let failures = 0;
  let notBefore = 0;
  /** A 401 stands between this grant and the last one that was taken. */
  let isLastTry = false;

  async function renew(ids: () => string[]): Promise<Grant> {
    try {
      // At least a turn, so that all that ask in it are in it.
      leash = createLeash(undefined, Infinity);
      const { signal } = leash;
      await sleep(notBefore - clock(), signal);
      if (signal.aborted) throw signal.reason;
      leash.renew(FETCH_MS);
      isAsking = true;
      const asking = typeof source === 'string' ? askRoute(source, ids(), fetch, signal) : source!(ids());
      const token = await untilAborted(asking, signal);
      if (!token) throw new TypeError('The grant is no text.');
      failures = notBefore = 0;
      current = { token };
      return current;
    } catch (cause) {
      notBefore = clock() + backOffMs(failures++, random);
      if (cause instanceof GatewayError && cause.code === 'unauthorized') throw cause;
      throw new GatewayError('grant_unavailable', 'No grant.', { retryable: true, cause });
    } finally {
      leash!.end();
      isAsking = false;
      pending = undefined;
    }
  }

  return {
    async take(ids) {
      if (current) return current;
      pending ??= renew(ids);
      return await pending;
    },
    drop(grant) {
      if (grant === current) current = undefined;
    },
    accepted() {
      isLastTry = false;
    },
    refused(grant) {
      if (grant !== current) return true;
      if (source === undefined) return false;
      current = undefined;
      isLastTry = !isLastTry;
      return isLastTry;
    },
    reset(isDead) {
      if (isDead || !isAsking) leash?.end();
      failures = notBefore = 0;
    },
  };
}

/** `grantRoute`'s protocol (docs/grants.md). */
async function askRoute(url: string, ids: string[], fetch: Fetch, signal: AbortSignal): Promise<string> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ invocations: ids }),
    // Cloudflare's runtime throws at it.
    ...(IS_BROWSER && { credentials: 'include' }),
    signal,
  });
  const { status } = response;
  if (status === 401 || status === 403) {
    throw new GatewayError('unauthorized', 'No grant for this user.', { status });
  }
  const { grant } = (await response.json()) as { grant: string };
  return grant;
}
