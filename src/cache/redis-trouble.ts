/**
 * How long a command may take, and fixed words for what is the matter with Redis: never an address, never
 * a secret.
 */
import { ErrorReply } from 'redis';

/** A timer that fires this much later than asked tells of a busy process, and so proves nothing. */
const LATE_MS = 20;

/**
 * Rejects when `promise` takes longer than `ms`. The clock starts when the command is on its way and stops
 * after one more look at the sockets, and a busy event loop earns half as much again: our own work must not
 * count as a slow Redis.
 */
export function within<T>(promise: Promise<T>, ms: number): Promise<T> {
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined;
    const lookOnceMore = () => setImmediate(() => reject(new RedisSlow()));
    const sent = setImmediate(() => {
      const sentAt = performance.now();
      timer = setTimeout(() => {
        if (performance.now() - sentAt > ms + LATE_MS) timer = setTimeout(lookOnceMore, ms / 2);
        else lookOnceMore();
      }, ms);
    });
    const done = () => {
      clearImmediate(sent);
      clearTimeout(timer);
    };
    promise.finally(done).then(resolve, reject);
  });
}

/** No answer in time. */
class RedisSlow extends Error {}

/** https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors: the first word is the kind. */
const TROUBLES: Readonly<Record<string, string>> = {
  READONLY: 'read-only',
  OOM: 'out of memory',
  NOAUTH: 'authentication refused',
  WRONGPASS: 'authentication refused',
  NOPERM: 'authentication refused',
  LOADING: 'loading',
  MOVED: 'a cluster, which is not supported',
  CLUSTERDOWN: 'a cluster, which is not supported',
};

/** Fixed words for whatever a command or a connection rejected with. */
export function redisTroubleOf(failure: unknown): string {
  if (failure instanceof RedisSlow) return 'too slow';
  if (!(failure instanceof ErrorReply)) return 'unreachable';
  return TROUBLES[failure.message.split(' ', 1)[0] ?? ''] ?? 'refusing commands';
}
