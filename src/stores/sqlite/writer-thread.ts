/**
 * The owner's end of the writing thread: one order at a time, each answered, also when the thread dies.
 * Keeps the process alive while an order is under way and no longer.
 */
import { Worker } from 'node:worker_threads';
import type { Closed, WriteOrder, WriterOptions, WriterReply } from './writer.ts';
import { WRITER } from './writer-url.ts';

export interface WriterThread {
  /** Never rejects. The caller waits for one reply before it gives the next order. */
  write(order: WriteOrder): Promise<WriterReply>;
  /** Lets the thread finish and close the file; ends it after `timeoutMs`. */
  close(timeoutMs: number): Promise<void>;
}

export function createWriterThread(options: Omit<WriterOptions, 'generation'>): WriterThread {
  let worker: Worker | undefined;
  let generation = 0;
  let answer: ((reply: WriterReply) => void) | undefined;

  function start(): Worker {
    const workerData: WriterOptions = { ...options, generation };
    // What the process was started with (a loader, an inspector, `-e`) is not meant for this thread.
    const started = new Worker(WRITER, { workerData, execArgv: [] });
    const settle = (reply: WriterReply) => {
      started.unref();
      generation = reply.generation;
      answer?.(reply);
      answer = undefined;
    };
    started.on('message', (told: WriterReply | Closed) => {
      if (told === 'closed') void started.terminate();
      else settle(told);
    });
    // An uncaught error ends the thread: 'exit' follows, and the next order starts another.
    started.on('error', () => {});
    started.on('exit', () => {
      if (worker === started) worker = undefined;
      settle({ generation, trouble: 'failing', rebuilt: false });
    });
    return started;
  }

  return {
    write(order) {
      worker ??= start();
      worker.ref();
      const reply = new Promise<WriterReply>((resolve) => {
        answer = resolve;
      });
      worker.postMessage(order);
      return reply;
    },
    async close(timeoutMs) {
      const closing = worker;
      if (closing === undefined) return;
      closing.ref();
      const late = setTimeout(() => void closing.terminate(), timeoutMs);
      await new Promise((resolve) => {
        closing.once('exit', resolve);
        closing.postMessage({ order: 'close' });
      });
      clearTimeout(late);
    },
  };
}
