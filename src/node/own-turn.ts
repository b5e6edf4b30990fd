/** One piece of heavy work per turn of the event loop, so that nobody waits for two. */

/** @returns resolves in a turn of the event loop in which nobody else's promise of it resolves; first come, first served */
export function createOwnTurn(): () => Promise<void> {
  const waiting: (() => void)[] = [];

  function turn(): void {
    waiting.shift()?.();
    if (waiting.length > 0) setImmediate(turn);
  }

  return () =>
    new Promise((resolve) => {
      waiting.push(resolve);
      if (waiting.length === 1) setImmediate(turn);
    });
}
