/** A stream's feed as the body of a web `Response`: for runtimes that take nothing else. */
import type { Feed } from './stream-reply.ts';

/** Contract §10: a body that nobody pulls is given up within 90 s, ms from the first text that nobody wants. */
const GIVE_UP_MS = 60_000;

export function readableOf(feed: Feed): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let isPulling = false;
  let wake = () => {};
  let unwanted: ReturnType<typeof setTimeout> | undefined;

  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const giveUp = () => {
          feed.leave();
          controller.error(new Error('nobody reads'));
        };
        feed.begin(() => {
          wake();
          if (!isPulling) unwanted ??= setTimeout(giveUp, GIVE_UP_MS);
        });
      },
      async pull(controller) {
        isPulling = true;
        clearTimeout(unwanted);
        unwanted = undefined;
        let text = feed.pull(0);
        while (text === undefined && !feed.isOver()) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
          text = feed.pull(0);
        }
        isPulling = false;
        if (text !== undefined) controller.enqueue(encoder.encode(text));
        if (feed.isOver()) controller.close();
      },
      cancel() {
        clearTimeout(unwanted);
        feed.leave();
      },
    },
    { highWaterMark: 0 },
  );
}
