/** Time: signals with an end of their own, a clock, and how long to wait after a failure. */

/** A signal that follows another and has a time of its own. */
export interface Leash {
  readonly signal: AbortSignal;
  /** Begins its time anew. */
  renew(ms: number): void;
  /** Gives up whatever still goes on, and leaves no timer and no listener behind. */
  end(): void;
}

/** @param ms `Infinity`: it follows the other alone */
export function createLeash(parent: AbortSignal | undefined, ms: number): Leash {
  const controller = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const end = () => {
    clearTimeout(timer);
    parent?.removeEventListener('abort', end);
    controller.abort(parent?.reason);
  };
  const renew = (time: number) => {
    clearTimeout(timer);
    if (time < Infinity) timer = setTimeout(end, Math.max(time, 0));
  };
  renew(ms);
  if (parent?.aborted) end();
  parent?.addEventListener('abort', end);
  return { signal: controller.signal, renew, end };
}

/** Ends early when the signal is aborted; never rejects. @param ms `Infinity` waits for the signal alone */
export async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  await aborted(createLeash(signal, ms).signal);
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve());
  });
}

/** What others promise need not end. Rejects with the signal's reason. */
export async function untilAborted<T>(promise: Promise<T>, parent: AbortSignal | undefined): Promise<T> {
  const { signal, end } = createLeash(parent, Infinity);
  try {
    return await Promise.race([
      promise,
      aborted(signal).then(() => {
        throw signal.reason;
      }),
    ]);
  } finally {
    end();
  }
}

/** Of a clock that nobody sets, ms: for all that is due, and all that has lasted. A machine's sleep may stand still in it. */
export const clock = () => performance.now();

/** Full jitter: anything up to 1, 2, 4, 5, 5 … s. @param failures before this one */
export function backOffMs(failures: number, random: () => number): number {
  return 1_000 * random() * Math.min(2 ** failures, 5);
}
