/** What proxies and old gateways do to streams and waits, one treatment of a road each. */
import type { ServerResponse } from 'node:http';
import type { Passage, Treatment } from './road.ts';

const JSON_TYPE = { 'content-type': 'application/json' };

/** A gateway from before streams and waits: `events` is no id, and a preflight allows no `Prefer`. */
export const oldGateway: Treatment = {
  without: ['prefer'],
  answer(passage, response, origin) {
    if (passage.kind === 'preflight') {
      passage.status = 204;
      response.writeHead(204, {
        'access-control-allow-origin': origin,
        'access-control-allow-methods': 'GET, HEAD, OPTIONS',
        'access-control-allow-headers':
          'Authorization, Content-Type, If-None-Match, X-Request-Id, x-chroma-token',
      });
      response.end();
      return true;
    }
    if (passage.kind !== 'stream') return false;
    const error = { error: 'invalid_id', message: 'This is no UUID.', request_id: 'r-1', retryable: false };
    passage.status = 400;
    response.writeHead(400, { ...JSON_TYPE, 'access-control-allow-origin': origin });
    response.end(JSON.stringify(error));
    return true;
  },
};

/** Of several `id=` the gateway hears of the last only. */
export const lastIdOnly: Treatment = {
  path: (path) => path.replace(/\?.*(?=id=[^&]*$)/, '?'),
};

/** The first bytes of a stream pass at once, then nothing until so many have come together. */
export function flushing(firstBytes: number, thenBytes: number): Treatment {
  const kept = new WeakMap<ServerResponse, { first: number; rest: Buffer[]; size: number }>();
  return {
    piece(_passage, piece, response) {
      const state = kept.get(response) ?? { first: firstBytes, rest: [], size: 0 };
      kept.set(response, state);
      const now = piece.subarray(0, state.first);
      state.first -= now.length;
      if (now.length > 0) response.write(now);
      state.rest.push(piece.subarray(now.length));
      state.size += piece.length - now.length;
      if (state.size < thenBytes) return;
      response.write(Buffer.concat(state.rest));
      Object.assign(state, { rest: [], size: 0 });
    },
  };
}

/** No stream gets through: a proxy's own page comes instead. */
export const noStreams: Treatment = {
  answer: (passage, response) => passage.kind === 'stream' && sorry(passage, response, 404),
};

/** Waits are held until `cut`, which answers each of them as a proxy does that has lost patience. */
export function impatient(): Treatment & { readonly held: readonly Passage[]; cut(): void } {
  const held = new Map<Passage, ServerResponse>();
  return {
    answer(passage, response, origin) {
      if (passage.kind !== 'wait') return noStreams.answer!(passage, response, origin);
      held.set(passage, response);
      response.on('close', () => held.delete(passage));
      return true;
    },
    get held() {
      return [...held.keys()];
    },
    cut() {
      for (const [passage, response] of held) sorry(passage, response, 504);
    },
  };
}

/** HTML, and no CORS: a page's script sees nothing but a failure. */
function sorry(passage: Passage, response: ServerResponse, status: number): true {
  passage.status = status;
  response.writeHead(status, { 'content-type': 'text/html' });
  response.end('<!doctype html><h1>Something went wrong</h1>');
  return true;
}
