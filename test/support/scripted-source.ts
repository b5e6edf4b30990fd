/** A source that answers when and as a test says, and numbers every question. */
import type { Answer, Source, Sourced } from '../../src/domain/answer.ts';
import { type ErrorCode, Failure } from '../../src/domain/errors.ts';
import type { InvocationId } from '../../src/domain/job.ts';
import type { Clock } from './clock.ts';
import { jobOf } from './jobs.ts';

/** One question that was asked; it waits until it is told its outcome. */
export interface Question {
  readonly id: InvocationId;
  /** A job in this state, given now. @param mark tells two bodies of one state apart */
  job(status: unknown, mark?: string): void;
  missing(): void;
  fail(code: ErrorCode): void;
  /** Something that is no error of ours. */
  crash(thrown: unknown): void;
  /** Whatever a source may say, instants of its own included. */
  say(sourced: Partial<Sourced> & { readonly answer: Answer }): void;
}

export interface ScriptedSource extends Source {
  /** All questions so far, oldest first. */
  readonly asked: readonly Question[];
  /** The last question. */
  last(): Question;
}

export function createScriptedSource(clock: Clock): ScriptedSource {
  const asked: Question[] = [];
  return {
    asked,
    last: () => asked.at(-1)!,
    ask(id) {
      const { promise, resolve, reject } = Promise.withResolvers<Sourced>();
      const say: Question['say'] = (sourced) =>
        resolve({ answeredAt: clock.now(), cache: 'miss', revalidated: false, stored: false, ...sourced });
      asked.push({
        id,
        say,
        job: (status, mark) => say({ answer: jobOf(id, status, mark) }),
        missing: () => say({ answer: { kind: 'missing' } }),
        fail: (code) => reject(new Failure(code)),
        crash: (thrown) => reject(thrown),
      });
      return promise;
    },
  };
}
