/** A request of an isolate that watches jobs over scripted objects, under vitest's clock. */
import { vi } from 'vitest';
import { createMemoryStore } from '../../src/cache/memory-store.ts';
import type { InvocationId } from '../../src/domain/job.ts';
import type { ObjectReply, Told } from '../../src/stores/object/protocol.ts';
import { createRemote } from '../../src/watch/remote.ts';
import { gistOf } from './hub-rig.ts';
import { jobOf, lifetimes, newId } from './jobs.ts';

/** One held call; it waits until it is told its outcome. */
export interface HeldCall {
  readonly id: InvocationId;
  readonly told: Told;
  readonly holdMs: number;
  /** ms of the clock. */
  readonly at: number;
  isPending: boolean;
  reply(reply: unknown): void;
  job(status: unknown, failure?: 'upstream_error'): void;
  lose(message?: string): void;
}

export function pass(ms: number): Promise<unknown> {
  return vi.advanceTimersByTimeAsync(ms);
}

/** What an object answers. */
export function replyOf(id: InvocationId, status: unknown, answeredAt = Date.now()): ObjectReply {
  const { body } = jobOf(id, status);
  return { ok: true, body, answeredAt, cache: 'hit', revalidated: false, stored: true };
}

/** @param onCall what the objects answer by themselves */
export function createRemoteRig(onCall: (call: HeldCall) => void = () => {}) {
  const calls: HeldCall[] = [];
  const memory = createMemoryStore(1_048_576);
  let spent = 0;
  let mostPending = 0;
  const pending = () => calls.filter(({ isPending }) => isPending);
  const watch = createRemote({
    stubOf: () => ({
      watch(id, told, holdMs) {
        const { promise, resolve, reject } = Promise.withResolvers<ObjectReply | undefined>();
        const call: HeldCall = {
          id,
          told,
          holdMs,
          at: performance.now(),
          isPending: true,
          reply(reply) {
            call.isPending = false;
            resolve(reply as ObjectReply);
          },
          job(status, code) {
            const failure = code && { code, secondhand: false };
            call.reply({ ...replyOf(id, status), failure });
          },
          lose(message = 'reset') {
            call.isPending = false;
            reject(new Error(message));
          },
        };
        calls.push(call);
        mostPending = Math.max(mostPending, pending().length);
        onCall(call);
        return promise;
      },
    }),
    memory,
    lifetimes,
    spent: () => void spent++,
    now: Date.now,
    clock: () => performance.now(),
  });
  return {
    calls,
    memory,
    pending,
    last: () => calls.at(-1)!,
    mostPending: () => mostPending,
    spent: () => spent,
    watch(id: InvocationId = newId(), forMs = 240_000) {
      const told: string[] = [];
      return { id, told, stop: watch(id, (state) => void told.push(gistOf(state)), forMs) };
    },
  };
}
