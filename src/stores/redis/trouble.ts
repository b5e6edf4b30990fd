/**
 * How long a command may take, and fixed words for what is the matter with Redis: never an address, never
 * a secret.
 */
import { ErrorReply } from '@redis/client';

/** A timer that fires this much later than asked tells of a busy process, and so proves nothing. */
const LATE_MS = 20;

/**
 * Rejects when Redis takes longer than `ms` for its reply. Not the plain `within` of `upstream/`: our own work must
 * not count as a slow Redis (#95). So the time starts when the command is on its way and ends after one more look at
 * the sockets, and a busy event loop earns half as much again.
 */
export function replyWithin<T>(reply: Promise<T>, ms: number): Promise<T> {
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
    reply.finally(done).then(resolve, reject);
  });
}

/** No answer in time. */
class RedisSlow extends Error {}

/** https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors: a word in capitals is the kind. */
const TROUBLES: Readonly<Record<string, string>> = {
  READONLY: 'read-only',
  OOM: 'out of memory',
  NOAUTH: 'authentication refused',
  WRONGPASS: 'authentication refused',
  LOADING: 'loading',
  MOVED: 'a cluster, which is not supported',
  CLUSTERDOWN: 'a cluster, which is not supported',
};

/** Fixed words for whatever a command or a connection rejected with. They decide nothing. */
export function redisTroubleOf(failure: unknown): string {
  if (failure instanceof RedisSlow) return 'too slow';
  if (!(failure instanceof ErrorReply)) return 'unreachable';
  return troubleOfReply(failure.message);
}

/** The same for the text of a refusal. Before Redis 7 a script's error has the kind in its middle. */
export function troubleOfReply(text: string): string {
  const rule = missingRuleOf(text);
  if (rule !== undefined) return troubleOfMissing([rule]);
  const kind = /\b[A-Z]{3,}\b(?<!ERR)/.exec(text)?.[0] ?? '';
  return TROUBLES[kind] ?? 'refusing commands';
}

/** What the Redis user may not do, in the words of `ACL SETUSER`, so that it can be mended by copying them. */
export type AclRule = `+${string}` | '~csg:*' | '&csg:*';

/** Words for `/readyz` and the log. */
export function troubleOfMissing(rules: Iterable<AclRule>): string {
  return `permissions missing: ${[...rules].join(' ')}`;
}

/** Redis 6 to 8 and Valkey, outside of a script and inside. */
const DENIED = /^-?NOPERM\b|the user executing the script can't|ACL failure in script/i;
const DENIED_COMMAND = /\brun (?:the '([a-z|]{1,32})'|this) command/;

/**
 * The rule that a refusal says is missing; `undefined` for a refusal for another reason.
 * @param tried what was tried, where the refusal itself does not name the command
 */
export function missingRuleOf(text: string, tried: AclRule = '+eval'): AclRule | undefined {
  if (!DENIED.test(text)) return undefined;
  const command = DENIED_COMMAND.exec(text);
  if (command !== null) return command[1] === undefined ? tried : `+${command[1]}`;
  return /\bchannels?\b/.test(text) ? '&csg:*' : '~csg:*';
}
