/** A rig for what an answer's content may be: unusable and not kept, or relayed byte for byte and kept. */
import { expect } from 'vitest';
import { ask } from './ask.ts';
import type { Env, Gateway, LogLine } from './gateway.ts';
import { answer, response } from './raw-upstream.ts';
import { type Faulted, type Rig, useRig } from './upstream-rig.ts';

/** A body, made for the id that was asked for. */
export type Body = (id: string) => string | Buffer;

export interface ContentRig extends Rig {
  /** A 502 at the first attempt; nothing is kept. Resolves with the log's line of it. */
  unusable(body: Body, headers?: readonly string[]): Promise<LogLine>;
  /** A 200 with this body and no byte else, and a hit the next time. */
  relayed(body: Body, headers?: readonly string[]): Promise<Faulted>;
}

const JSON_TYPE = ['Content-Type: application/json'];

export function useContentRig(runtime: Gateway['runtime'], env: Env = {}): ContentRig {
  const rig = useRig(runtime, { CACHE_IN_FLIGHT_TTL_MS: '60000', ...env });

  async function unusable(body: Body, headers: readonly string[] = JSON_TYPE): Promise<LogLine> {
    const asked = await rig.fault(({ socket, id }) => socket.write(response(200, body(id), headers)));
    expect([
      asked.status,
      asked.error.error,
      asked.headers.get('retry-after'),
      asked.error.retryable,
    ]).toEqual([502, 'upstream_bad_response', '2', true]);
    expect(asked.calls).toBe(1);
    rig.upstream.scriptFor(asked.id, answer);
    expect((await ask(rig.gateway.url, asked.id)).cacheStatus).toContain('fwd=uri-miss');
    const [line] = await rig.failures(asked.id);
    return line!;
  }

  async function relayed(body: Body, headers: readonly string[] = JSON_TYPE): Promise<Faulted> {
    const asked = await rig.fault(({ socket, id }) => socket.write(response(200, body(id), headers)));
    expect(asked.status).toBe(200);
    expect(asked.text).toBe(
      body(asked.id)
        .toString()
        .replace(/^\ufeff/, ''),
    );
    expect(asked.headers.get('content-type')).toBe('application/json');
    const again = await ask(rig.gateway.url, asked.id);
    expect([again.cacheStatus, again.text]).toEqual(['chroma-sync-gateway; hit', asked.text]);
    expect(rig.upstream.requestsFor(asked.id)).toBe(1);
    return asked;
  }

  return Object.assign(Object.create(rig) as Rig, { unusable, relayed });
}
