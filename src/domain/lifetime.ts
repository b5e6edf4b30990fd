/**
 * The whole cache policy in one table: from what an answer says to how long it may be used (contract §5).
 * The lifetime comes from the body alone; upstream's headers decide nothing. Pure.
 */
import type { Answer } from './answer.ts';
import { isTerminal } from './job.ts';

/** Terminal: can never change. In-flight: may change; unrecognised states and lists count as such. Negative: a 404. */
export type LifetimeClass = 'terminal' | 'in-flight' | 'negative';

/** Two windows in ms, counted from the moment upstream gave the answer; `Infinity` is for ever. */
export interface Lifetime {
  readonly freshMs: number;
  /** How long past its freshness it may still be served while upstream fails. */
  readonly staleIfErrorMs: number;
}

export type Lifetimes = Readonly<Record<LifetimeClass, Lifetime>>;

/** The operator's three windows (contract §3), each in ms, 0 or more. */
export interface LifetimeOptions {
  readonly inFlightTtlMs: number;
  readonly notFoundTtlMs: number;
  readonly staleIfErrorMs: number;
}

export function createLifetimes(options: LifetimeOptions): Lifetimes {
  return {
    terminal: { freshMs: Infinity, staleIfErrorMs: Infinity },
    'in-flight': { freshMs: options.inFlightTtlMs, staleIfErrorMs: options.staleIfErrorMs },
    negative: { freshMs: options.notFoundTtlMs, staleIfErrorMs: 0 },
  };
}

export function classOf(answer: Answer): LifetimeClass {
  if (answer.kind === 'missing') return 'negative';
  if (answer.kind === 'list') return 'in-flight'; // whatever is in it: the next job makes it another
  return isTerminal(answer.status) ? 'terminal' : 'in-flight';
}
