/** The demo's gateway: started as an operator would, restarted on the same port, and gone when the demo is. */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { type GatewayProcess, startGatewayProcess } from '../simulator/gateway-process.ts';

const START_DEADLINE_MS = 30_000;
const KEPT_STDERR_CHARS = 16_384;
/** A line of the gateway's log (docs/operations.md) about a lookup, a wait, or a stream that has ended. */
const REQUEST = /"msg":"request",.*"method":"(?:GET|HEAD)","route":"\/api\/v1\/invocations\//;
/** Runs in the gateway before its own code: a demo that is killed can end nothing any more, but its channel closes. */
const ENDS_WITH_US = `data:text/javascript,${encodeURIComponent(
  `process.on('disconnect', () => process.exit(1)); process.channel?.unref();`,
)}`;

export interface GatewayChildOptions {
  /** The file that starts the gateway. */
  readonly entry: string;
  /** All of its environment but `PATH` and `PORT`. */
  readonly env: Readonly<Record<string, string>>;
  /** `0`: any free one, and the same again after a restart. */
  readonly port: number;
}

export interface GatewayChild {
  /** Resolves to its URL when it listens, to `undefined` when it never will: `over` says why. */
  readonly listening: Promise<string | undefined>;
  /** Resolves when it is gone for good: to why, unless it was stopped. */
  readonly over: Promise<string | undefined>;
  /** Requests for jobs that it has answered, all restarts together. */
  readonly requests: number;
  readonly isRestarting: boolean;
  /** Resolves when it listens again, or never will. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** One life of it. */
interface Life {
  readonly process: GatewayProcess;
  readonly listening: Promise<string | undefined>;
  stop(): Promise<void>;
}

export function startGatewayChild({ entry, env, port }: GatewayChildOptions): GatewayChild {
  const over = Promise.withResolvers<string | undefined>();
  let requests = 0;
  let isStopping = false;
  let restarting: Promise<void> | undefined;
  let life = begin(port);
  process.on('exit', () => void life.process.process.kill('SIGKILL'));

  function begin(onPort: number): Life {
    let lastWords = '';
    let line = '';
    let isEnding = false;
    const child = startGatewayProcess(
      {
        entry,
        env: { ...env, PORT: String(onPort) },
        nodeArgs: ['--import', ENDS_WITH_US],
        ipc: true,
        // Ctrl-C reaches a terminal's whole group, and to the gateway our SIGTERM would then be the second signal, which
        // ends it at once instead of gracefully.
        detached: true,
      },
      (text, from) => {
        if (from === 'stderr') {
          lastWords = (lastWords + text).slice(-KEPT_STDERR_CHARS);
        } else {
          const lines = (line + text).split('\n');
          line = lines.pop()!;
          requests += lines.filter((whole) => REQUEST.test(whole)).length;
        }
      },
    );
    /** It is gone, and all that it wrote is read. */
    const closed = once(child.process, 'close').then(
      () => undefined,
      () => undefined,
    );
    void closed.then(() => {
      const { signalCode, exitCode } = child.process;
      const how = signalCode ?? `exit status ${exitCode}`;
      if (!isEnding) over.resolve(`The gateway ended by itself (${how}). Its last words:\n\n${lastWords}`);
    });

    async function stop(): Promise<void> {
      isEnding = true;
      await child.stop();
      await closed;
    }

    async function listening(): Promise<string | undefined> {
      const late = sleep(START_DEADLINE_MS, 'late' as const, { ref: false });
      const outcome = await Promise.race([child.listening, closed, late]);
      if (outcome !== 'late') return outcome;
      await stop();
      const seconds = START_DEADLINE_MS / 1_000;
      over.resolve(`The gateway did not say that it listens within ${seconds} s.\n\n${lastWords}`);
      return undefined;
    }

    return { process: child, listening: listening(), stop };
  }

  async function restart(): Promise<void> {
    const url = await life.listening;
    await life.stop();
    if (isStopping || url === undefined) return;
    life = begin(Number(new URL(url).port));
    await life.listening;
  }

  return {
    listening: life.listening,
    over: over.promise,
    get requests() {
      return requests;
    },
    get isRestarting() {
      return restarting !== undefined;
    },
    restart() {
      restarting ??= restart().finally(() => {
        restarting = undefined;
      });
      return restarting;
    },
    async stop() {
      isStopping = true;
      await life.stop();
      over.resolve(undefined);
    },
  };
}
