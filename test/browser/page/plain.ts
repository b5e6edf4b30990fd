/** A page without a framework. It keeps what it was shown, and does what a test tells it (`frontEnd`). */
import { createClient, GatewayError, type Invocation, type ListOptions } from '../../../client/entry.ts';
import { type Seen, seenOf } from './seen.ts';
import { setVisibility } from './visibility.ts';

const query = new URLSearchParams(location.search);
const client = createClient({ url: query.get('gateway')!, grant: query.get('grant') ?? undefined });
/** By id as it was given. */
const seen: Record<string, Seen[]> = {};
/** What became of each `wait`: a state, or an error's code; `waiting` until then. */
const waits: Record<string, string> = {};
/** Every invocation that a page was shown last, for what only it can tell. */
const invocations: Record<string, Invocation | undefined> = {};
const stops = new Map<string, () => void>();

function note(id: string): void {
  const snapshot = client.snapshot(id);
  seen[id] ??= [];
  seen[id].push(seenOf(snapshot));
  invocations[id] = snapshot.invocation;
}

const frontEnd = {
  client,
  seen,
  waits,
  invocations,
  setVisibility,
  watch(ids: readonly string[]): void {
    for (const id of ids) {
      stops.get(id)?.();
      stops.set(
        id,
        client.subscribe(id, () => note(id)),
      );
      note(id);
    }
  },
  /** What came of it: the jobs, or an error's code. */
  list: (options?: ListOptions) =>
    client
      .list(options)
      .catch((error: unknown) => (error instanceof GatewayError ? error.code : String(error))),
  leave(ids: readonly string[]): void {
    for (const id of ids) stops.get(id)?.();
  },
  wait(id: string): void {
    waits[id] = 'waiting';
    client.wait(id).then(
      ({ state }) => {
        waits[id] = state;
      },
      (error: unknown) => {
        waits[id] = error instanceof GatewayError ? error.code : String(error);
      },
    );
  },
  /** The client in a worker that lacks what React Native lacks; what it shows is seen here. */
  native(ids: readonly string[], isWhole: boolean): void {
    const worker = new Worker(`/native.js${location.search}${isWhole ? '&whole' : ''}`, { type: 'module' });
    worker.onerror = ({ message }) => console.error(message);
    worker.onmessage = ({ data }: MessageEvent<readonly [string, Seen]>) => {
      const [id, one] = data;
      seen[id] ??= [];
      seen[id].push(one);
    };
    worker.postMessage(ids);
  },
};

Object.assign(globalThis, { frontEnd });
