/**
 * What is known of one watched job, and how it becomes what a page shows. Knows no request: it is told what was heard, and
 * when.
 */

import { STALE_AFTER_MS } from './bounds.ts';
import type { GatewayError } from './error.ts';
import { type Invocation, invocationOf } from './invocation.ts';
import { parseJson } from './request.ts';
import { LOADING, type Snapshot } from './snapshot.ts';

export interface JobWatch {
  /** UUID, lower case. */
  readonly id: string;
  snapshot(): Snapshot;
  /** Terminal, or in error: nobody asks about it any more. */
  isOver(): boolean;
  /**
   * The job came, or was asked about and is as it was.
   * @param text its JSON
   * @param staleSince upstream fails, and gave this then
   * @returns false where this is no such job
   */
  learn(text: string | undefined, staleSince?: Date): boolean;
  /** Upstream fails for it. @param asOf when upstream gave what is known */
  trouble(asOf: Date): void;
  /** Nothing is heard any more: stale, unless something is within 3 s. @param lastContactAt epoch ms */
  lose(lastContactAt: number): void;
  /** Nobody looks: it leaves no timer. */
  rest(): void;
  /** It cannot be watched. */
  end(why: GatewayError): void;
  /** From `error` back to what was known: it is asked about anew. */
  revive(): void;
}

/** @param onChange the snapshot is another object */
export function createJobWatch(id: string, onChange: () => void): JobWatch {
  let shown: Snapshot = LOADING;
  let text: string | undefined;
  let invocation: Invocation | undefined;
  let error: GatewayError | undefined;
  let cameAt = new Date(0);
  /** From then on it may be otherwise. */
  let staleSince: Date | undefined;
  /** Nothing is heard, and it is not shown yet. */
  let losing: ReturnType<typeof setTimeout> | undefined;

  function show(): void {
    const phase = error ? 'error' : !invocation ? 'loading' : invocation.isTerminal ? 'settled' : 'live';
    const asOf = invocation && (staleSince ?? cameAt);
    const isStale = Boolean(invocation && phase !== 'settled' && (error ?? staleSince));
    const next = { phase, invocation, error, isStale, asOf } as Snapshot;
    const isSame = (Object.keys(next) as (keyof Snapshot)[]).every((key) => next[key] === shown[key]);
    if (isSame) return;
    shown = next;
    onChange();
  }

  const isOver = () => Boolean(error ?? invocation?.isTerminal);

  function hear(since: Date | undefined): void {
    // The same moment is the same object.
    if (Number(since) !== Number(staleSince)) staleSince = since;
    rest();
    show();
  }

  function rest(): void {
    clearTimeout(losing);
    losing = undefined;
  }

  return {
    id,
    snapshot: () => shown,
    isOver,
    learn(newText = text, since) {
      if (isOver()) return true;
      const isNew = newText !== text;
      const learned = isNew ? invocationOf(id, parseJson(newText!)) : invocation;
      if (!learned) return false;
      if (isNew || (staleSince && !since)) cameAt = new Date();
      text = newText;
      invocation = learned;
      hear(since);
      return true;
    },
    trouble(asOf) {
      // It goes on, and what is known is as old as when it began.
      if (!isOver()) hear(older(asOf, staleSince));
    },
    lose(lastContactAt) {
      losing ??= setTimeout(() => {
        hear(older(new Date(Math.max(lastContactAt, Number(cameAt))), staleSince));
      }, STALE_AFTER_MS);
    },
    rest,
    end(why) {
      if (isOver()) return;
      error = why;
      rest();
      show();
    },
    revive() {
      if (!error) return;
      error = undefined;
      staleSince = shown.asOf;
      show();
    },
  };
}

function older(one: Date, other: Date | undefined): Date {
  return other && other < one ? other : one;
}
