/**
 * What the simulator is told to do to a request instead of, or before, answering it honestly: scripts, faults,
 * latency, holds. Decides only; it knows neither jobs nor sockets.
 */
import * as z from 'zod';
/** One thing that may happen to one request. `delayMs` is added to the latency that holds for it. */
export declare const step: z.ZodDiscriminatedUnion<
  [
    z.ZodObject<
      {
        type: z.ZodLiteral<'normal'>;
        delayMs: z.ZodDefault<z.ZodNumber>;
      },
      z.core.$strict
    >,
    z.ZodObject<
      {
        type: z.ZodLiteral<'state'>;
        state: z.ZodEnum<{
          cancelled: 'cancelled';
          complete: 'complete';
          failed: 'failed';
          pending: 'pending';
          processing: 'processing';
        }>;
        delayMs: z.ZodDefault<z.ZodNumber>;
      },
      z.core.$strict
    >,
    z.ZodObject<
      {
        type: z.ZodLiteral<'patch'>;
        patch: z.ZodRecord<z.ZodString, z.ZodUnknown>;
        delayMs: z.ZodDefault<z.ZodNumber>;
      },
      z.core.$strict
    >,
    z.ZodObject<
      {
        type: z.ZodLiteral<'status'>;
        status: z.ZodInt;
        headers: z.ZodDefault<z.ZodRecord<z.ZodString, z.ZodString>>;
        delayMs: z.ZodDefault<z.ZodNumber>;
      },
      z.core.$strict
    >,
    z.ZodObject<
      {
        type: z.ZodLiteral<'raw'>;
        status: z.ZodDefault<z.ZodInt>;
        headers: z.ZodDefault<z.ZodRecord<z.ZodString, z.ZodString>>;
        body: z.ZodUnion<
          readonly [
            z.ZodString,
            z.ZodInstanceOf<Uint8Array<ArrayBuffer>>,
            z.ZodObject<
              {
                base64: z.ZodBase64;
              },
              z.core.$strict
            >,
          ]
        >;
        delayMs: z.ZodDefault<z.ZodNumber>;
      },
      z.core.$strict
    >,
    z.ZodObject<
      {
        type: z.ZodLiteral<'redirect'>;
        location: z.ZodString;
        status: z.ZodDefault<z.ZodInt>;
        delayMs: z.ZodDefault<z.ZodNumber>;
      },
      z.core.$strict
    >,
    z.ZodObject<
      {
        type: z.ZodLiteral<'wire'>;
        bytes: z.ZodUnion<
          readonly [
            z.ZodString,
            z.ZodInstanceOf<Uint8Array<ArrayBuffer>>,
            z.ZodObject<
              {
                base64: z.ZodBase64;
              },
              z.core.$strict
            >,
          ]
        >;
        byteEveryMs: z.ZodOptional<z.ZodNumber>;
        afterwards: z.ZodDefault<
          z.ZodEnum<{
            end: 'end';
            hang: 'hang';
            reset: 'reset';
          }>
        >;
        delayMs: z.ZodDefault<z.ZodNumber>;
      },
      z.core.$strict
    >,
    z.ZodObject<
      {
        type: z.ZodLiteral<'hang'>;
        delayMs: z.ZodDefault<z.ZodNumber>;
      },
      z.core.$strict
    >,
    z.ZodObject<
      {
        type: z.ZodLiteral<'reset'>;
        delayMs: z.ZodDefault<z.ZodNumber>;
      },
      z.core.$strict
    >,
  ],
  'type'
>;
export type Step = z.input<typeof step>;
export type ParsedStep = z.output<typeof step>;
/** Which requests: those of one invocation, or (no id) all of them. */
export declare const scope: z.ZodObject<
  {
    id: z.ZodOptional<z.ZodGUID>;
  },
  z.core.$strict
>;
export type Scope = z.input<typeof scope>;
export type Script = ReturnType<typeof createScript>;
/** Everything that was ordered, by invocation id or for everyone. */
export declare function createScript(): {
  /** Answers lookups of this id with these steps in order; the last one repeats. */
  script(id: string, steps: readonly Step[]): void;
  /** Queues a fault for the next `times` requests (for good when left out), behind those queued before it. */
  fault(fault: Step, of: Scope, times?: number): void;
  /** Milliseconds before every answer; the latency of an id replaces everyone's. */
  latency(ms: number, of: Scope): void;
  hold(of: Scope): void;
  release(of: Scope): void;
  /** Back to honest answers: no fault, script, latency or hold is left. */
  heal(): void;
  /**
   * What happens to this request: a fault of its id, else everyone's fault, else (`isLookup`) the next step of
   * its script. A fault in the way consumes no step.
   */
  next(id: string | undefined, isLookup: boolean): ParsedStep;
  latencyMs: (id: string | undefined) => number;
  /** Undefined when nothing holds this request, so that the usual answer costs no promise. */
  held(id: string | undefined): Promise<unknown> | undefined;
};
