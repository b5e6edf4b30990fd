/**
 * From what was ordered for a request to what it gets: the honest reply, that reply altered, or a fault. Decides only.
 */
import { chromaError, type Reply } from './chroma-api.ts';
import type { Jobs } from './jobs.ts';
import type { Fault } from './play.ts';
import { LISTS, type ParsedStep } from './script.ts';

type Job = Record<string, unknown>;

/**
 * @param subject the invocation's id, {@link LISTS}, or undefined for what orders do not alter
 * @param honest what an undisturbed service would say
 */
export function outcomeOf(
  step: ParsedStep,
  jobs: Jobs,
  subject: string | undefined,
  honest: () => Reply,
): Reply | Fault {
  switch (step.type) {
    case 'normal':
      return honest();
    case 'state':
      return subject === undefined || subject === LISTS ? honest() : found(jobs.read(subject, step.state));
    case 'patch':
      return subject === undefined ? honest() : patched(honest(), step.patch);
    case 'stray':
      return subject === LISTS ? withLast(honest(), jobs.read(step.id)) : honest();
    case 'padded':
      return padded(honest(), step.bytes);
    default:
      return step;
  }
}

function found(body: Job | undefined): Reply {
  return body ? { status: 200, body } : chromaError(404, 'invocation not found');
}

function patched(reply: Reply, patch: Job): Reply {
  if (reply.status !== 200) return reply;
  const { body } = reply;
  const replaced = (job: unknown) => ({ ...(job as Job), ...patch });
  return { ...reply, body: Array.isArray(body) ? body.map(replaced) : replaced(body) };
}

function withLast(reply: Reply, job: Job | undefined): Reply {
  return Array.isArray(reply.body) && job ? { ...reply, body: [...reply.body, job] } : reply;
}

function padded({ status, headers = {}, body }: Reply, bytes: number): Fault {
  const text = body === undefined ? '' : JSON.stringify(body);
  const missing = Math.max(0, bytes - Buffer.byteLength(text));
  return { type: 'raw', status, headers, body: text + ' '.repeat(missing), delayMs: 0 };
}
