/**
 * What the simulator is told to do to a request instead of, or before, answering it honestly: scripts, faults,
 * latency, holds. Decides only; it knows neither jobs nor sockets.
 */
import * as z from 'zod';
import { jobState } from './jobs.ts';

/** Bytes to send: text, bytes, or (over the control path) base64 of bytes. */
const bytes = z.union([z.string(), z.instanceof(Uint8Array), z.strictObject({ base64: z.base64() })]);
const headers = z.record(z.string(), z.string()).default({});
const status = z.int().min(200).max(999);
const delayMs = z.number().nonnegative().default(0);

/** One thing that may happen to one request. `delayMs` is added to the latency that holds for it. */
export const step = z.discriminatedUnion('type', [
  /** The job as its schedule has it. */
  z.strictObject({ type: z.literal('normal'), delayMs }),
  /** The job in this state, wherever its schedule stands. */
  z.strictObject({ type: z.literal('state'), state: jobState, delayMs }),
  /** The job, or each job of a list, with some top-level fields replaced, `null` included: `{"status":"paused"}`. */
  z.strictObject({ type: z.literal('patch'), patch: z.record(z.string(), z.unknown()), delayMs }),
  /** The list with this job as its last, wherever it belongs and whatever was asked for. */
  z.strictObject({ type: z.literal('stray'), id: z.guid(), delayMs }),
  /** The honest answer, made this long by spaces behind it. */
  z.strictObject({ type: z.literal('padded'), bytes: z.int().positive(), delayMs }),
  /** An error of this status in Chroma's shape. */
  z.strictObject({ type: z.literal('status'), status, headers, delayMs }),
  /** This very body; `Content-Length` is added, `Content-Type` is JSON unless `headers` has another. */
  z.strictObject({ type: z.literal('raw'), status: status.default(200), headers, body: bytes, delayMs }),
  z.strictObject({ type: z.literal('redirect'), location: z.string(), status: status.default(302), delayMs }),
  /** These very bytes on the socket, status line included; then the socket ends, hangs or is reset. */
  z.strictObject({
    type: z.literal('wire'),
    bytes,
    byteEveryMs: z.number().positive().optional(),
    afterwards: z.enum(['end', 'hang', 'reset']).default('end'),
    delayMs,
  }),
  /** Never answers. */
  z.strictObject({ type: z.literal('hang'), delayMs }),
  /** Resets the connection before any byte. */
  z.strictObject({ type: z.literal('reset'), delayMs }),
]);
export type Step = z.input<typeof step>;
export type ParsedStep = z.output<typeof step>;

/** In the place of an invocation's id: the list of invocations, whatever is asked of it. */
export const LISTS = 'lists';

/** What orders and counts are kept by: an invocation's id, or {@link LISTS}. */
export const subject = z.union([z.guid(), z.literal(LISTS)]);

/** Which requests: those of one invocation, those for lists, or (no id) all of them. */
export const scope = z.strictObject({ id: subject.optional() });
export type Scope = z.input<typeof scope>;

const EVERYONE = '*';
const keyOf = (of: Scope): string => of.id?.toLowerCase() ?? EVERYONE;

export type Script = ReturnType<typeof createScript>;

/** Everything that was ordered, by invocation id, for {@link LISTS} or for everyone. */
export function createScript() {
  const scripts = new Map<string, ParsedStep[]>();
  const faults = new Map<string, { step: ParsedStep; left: number }[]>();
  const latencies = new Map<string, number>();
  const holds = new Map<string, PromiseWithResolvers<void>>();

  const takeFault = (key: string): ParsedStep | undefined => {
    const first = faults.get(key)?.[0];
    if (!first) return undefined;
    first.left -= 1;
    if (first.left <= 0) faults.get(key)?.shift();
    return first.step;
  };
  const takeScripted = (id: string): ParsedStep | undefined => {
    const steps = scripts.get(id);
    return steps && steps.length > 1 ? steps.shift() : steps?.[0];
  };

  return {
    /** Answers lookups of this id, or lists, with these steps in order; the last one repeats. */
    script(id: string, steps: readonly Step[]): void {
      if (steps.length === 0) throw new Error('a script needs at least one step');
      scripts.set(
        id.toLowerCase(),
        steps.map((one) => step.parse(one)),
      );
    },
    /** Queues a fault for the next `times` requests (for good when left out), behind those queued before it. */
    fault(fault: Step, of: Scope, times = Number.POSITIVE_INFINITY): void {
      const key = keyOf(of);
      faults.set(key, [...(faults.get(key) ?? []), { step: step.parse(fault), left: times }]);
    },
    /** Milliseconds before every answer; the latency of an id replaces everyone's. */
    latency(ms: number, of: Scope): void {
      latencies.set(keyOf(of), ms);
    },
    hold(of: Scope): void {
      if (!holds.has(keyOf(of))) holds.set(keyOf(of), Promise.withResolvers<void>());
    },
    release(of: Scope): void {
      holds.get(keyOf(of))?.resolve();
      holds.delete(keyOf(of));
    },
    /** Back to honest answers: no fault, script, latency or hold is left. */
    heal(): void {
      for (const one of holds.values()) one.resolve();
      for (const map of [scripts, faults, latencies, holds]) map.clear();
    },
    /**
     * What happens to this request: a fault of its id, else everyone's fault, else (`isLookup`) the next step of
     * its script. A fault in the way consumes no step.
     */
    next(id: string | undefined, isLookup: boolean): ParsedStep {
      const fault = (id && takeFault(id)) || takeFault(EVERYONE);
      return fault ?? (id && isLookup ? takeScripted(id) : undefined) ?? { type: 'normal', delayMs: 0 };
    },
    latencyMs: (id: string | undefined): number =>
      (id ? latencies.get(id) : undefined) ?? latencies.get(EVERYONE) ?? 0,
    /** Undefined when nothing holds this request, so that the usual answer costs no promise. */
    held(id: string | undefined): Promise<unknown> | undefined {
      const own = id ? holds.get(id) : undefined;
      const all = holds.get(EVERYONE);
      return own || all ? Promise.all([own?.promise, all?.promise]) : undefined;
    },
  };
}
