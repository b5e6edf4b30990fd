/** Where the process stands in its life, and who must know when it ends. */

/** `draining` still works, `closing` finishes what is in flight. */
export type Phase = 'serving' | 'draining' | 'closing';

export interface Life {
  phase(): Phase;
  /** Called once, when the process begins to close, or at once when it has. Returns what takes it back. */
  whenClosing(tell: () => void): () => void;
}

export interface EndableLife extends Life {
  /** Ready for nothing more, though work is still taken. */
  drain(): void;
  /** From now on only what is in flight is finished. */
  close(): void;
}

export function createLife(): EndableLife {
  const tells = new Set<() => void>();
  let phase: Phase = 'serving';
  return {
    phase: () => phase,
    whenClosing(tell) {
      if (phase === 'closing') tell();
      else tells.add(tell);
      return () => void tells.delete(tell);
    },
    drain() {
      phase = 'draining';
    },
    close() {
      phase = 'closing';
      for (const tell of tells) tell();
    },
  };
}

/** Where nobody tells of an end: a Worker's isolate. */
export const ENDLESS: Life = { phase: () => 'serving', whenClosing: () => () => {} };
