/** A stream's feed as the body of a web `Response`: for runtimes and hosts that take nothing else. */
import type { WhenLeft } from './exchange.ts';
import type { Feed } from './stream-reply.ts';

/** Contract §10: a body that nobody pulls is given up within 90 s, ms. */
const GIVE_UP_MS = 60_000;

/** @param whenLeft how a host tells that the caller left, unless it cancels the body: either will do */
export function readableOf(feed: Feed, whenLeft: WhenLeft): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let hasLeft = false;
  let wake = () => {};
  let giveUp = () => {};
  let unwanted: ReturnType<typeof setTimeout> | undefined;

  function waitForReader(): void {
    unwanted = setTimeout(() => giveUp(), GIVE_UP_MS);
    unwanted.unref?.(); // no reason for a process to live on
  }

  function leave(): void {
    clearTimeout(unwanted);
    hasLeft = true;
    feed.leave();
    wake();
  }

  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        giveUp = () => {
          leave();
          controller.error(new Error('nobody reads'));
        };
        feed.begin(() => wake());
        waitForReader();
        // In order, since nobody sees it: a host prints an error that a body ends with.
        whenLeft(() => {
          if (hasLeft || feed.isOver()) return;
          leave();
          controller.close();
        });
      },
      async pull(controller) {
        clearTimeout(unwanted);
        let text = feed.pull(0);
        while (text === undefined && !feed.isOver()) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
          text = feed.pull(0);
        }
        if (hasLeft) return;
        if (text !== undefined) controller.enqueue(encoder.encode(text));
        if (feed.isOver()) controller.close();
        else waitForReader();
      },
      cancel: leave,
    },
    { highWaterMark: 0 },
  );
}
