/** Collects a response as it comes off undici's parser: streams cost a fifth of a miss (docs/performance.md). */
import type { Dispatcher } from 'undici';
import {
  type BodyWish,
  GLIMPSE_BYTES,
  GLIMPSE_MS,
  type ResponseHead,
  type UpstreamRequest,
  type UpstreamResponse,
} from '../transport.ts';

/**
 * A body that is not wanted whole is read to a bound all the same, to keep its connection; beyond that it is not
 * worth it.
 * @param resolve called at most once, with a head and what is had of its body
 * @param fail called with what undici threw
 * @param reject called with the signal's reason, or what the request's own functions threw: a bug
 */
export function collect(
  { signal, maxBytes, wishFor, onProgress }: UpstreamRequest,
  resolve: (head: ResponseHead, body: UpstreamResponse['body']) => void,
  fail: (error: unknown) => void,
  reject: (reason: unknown) => void,
): Dispatcher.DispatchHandler {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  let head: ResponseHead | undefined;
  let wish: BodyWish = 'whole';
  let controller: Dispatcher.DispatchController | undefined;
  let drain: NodeJS.Timeout | undefined;

  const abort = () => {
    controller?.abort(signal.reason);
    reject(signal.reason); // it may still wait for a connection
  };
  const finish = () => {
    signal.removeEventListener('abort', abort);
    clearTimeout(drain);
  };
  signal.addEventListener('abort', abort);

  function letGo(body: UpstreamResponse['body']): void {
    resolve(head!, body);
    controller?.abort(new Error('unwanted body'));
  }
  function ours<T>(work: () => T): T {
    try {
      return work();
    } catch (bug) {
      reject(bug);
      throw bug; // undici ends the request
    }
  }

  return {
    onRequestStart(started) {
      controller = started;
      if (signal.aborted) started.abort(signal.reason as Error);
    },
    onResponseStart(_, status, headers) {
      if (status < 200) return; // an interim response (RFC 9110 §15.2)
      const came = headOf(status, headers);
      head = came;
      wish = ours(() => wishFor(came));
      if (wish === 'whole') return;
      if (wish === 'nothing') resolve(came, undefined);
      drain = setTimeout(() => letGo(undefined), GLIMPSE_MS);
    },
    onResponseData(_, chunk) {
      bytes += chunk.byteLength;
      if (wish !== 'nothing') {
        ours(() => onProgress(bytes));
        chunks.push(chunk);
      }
      if (bytes > (wish === 'whole' ? maxBytes : GLIMPSE_BYTES)) letGo('too_large');
    },
    onResponseEnd() {
      finish();
      if (wish !== 'nothing') resolve(head!, chunks.length === 1 ? chunks[0] : Buffer.concat(chunks));
    },
    onResponseError(_, error) {
      finish();
      if (wish === 'glimpse') resolve(head!, undefined);
      else fail(error);
    },
  };
}

type Headers = Parameters<NonNullable<Dispatcher.DispatchHandler['onResponseStart']>>[2];

function headOf(status: number, headers: Headers): ResponseHead {
  return {
    status,
    header(name) {
      const value = headers[name];
      return (Array.isArray(value) ? value.join(', ') : value)?.replace(/^[ \t]+|[ \t]+$/g, '');
    },
    headerText() {
      let text = '';
      for (const name in headers) text += `${name}:${String(headers[name])}\n`; // as they came: JSON would escape
      return text;
    },
  };
}
