/**
 * How long a command may take, and fixed words for what is the matter with Redis: never an address, never
 * a secret.
 */
import { ErrorReply } from 'redis';

/**
 * The clock starts when the command is on its way and stops after one more look at the sockets: a busy
 * event loop of our own must not count as a slow Redis.
 */
export function within<T>(promise: Promise<T>, ms: number): Promise<T> {
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined;
    const sent = setImmediate(() => {
      timer = setTimeout(() => setImmediate(() => reject(new RedisSlow())), ms);
    });
    const done = () => {
      clearImmediate(sent);
      clearTimeout(timer);
    };
    promise.finally(done).then(resolve, reject);
  });
}

class RedisSlow extends Error {}

/**
 * Fixed words, no address. https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors: the first word is the
 * kind.
 */
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

export function redisTroubleOf(failure: unknown): string {
  if (failure instanceof RedisSlow) return 'too slow';
  if (!(failure instanceof ErrorReply)) return 'unreachable';
  return TROUBLES[failure.message.split(' ', 1)[0] ?? ''] ?? 'refusing commands';
}
