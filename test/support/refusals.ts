/**
 * What every refused caller meets, judged whole: the answer, upstream's silence, and a log line that shows that
 * nothing was looked up.
 */
import { expect } from 'vitest';
import type { Simulator } from '../../simulator/simulator.ts';
import { type Asked, ask } from './ask.ts';
import type { Gateway, LogLine } from './gateway.ts';
import { eventually } from './jobs.ts';

export const APP = 'https://app.example';
export const NO_TOKEN = 'Bearer';
export const INVALID = 'Bearer error="invalid_token"';
export const EXPIRED = `${INVALID}, error_description="expired"`;

let serial = 0;

/** Asks with these headers from an allowed origin, under a request id of its own. */
export async function askAs(
  gateway: Gateway,
  id: string,
  headers: Record<string, string>,
  method = 'GET',
): Promise<Asked & { readonly requestId: string }> {
  const requestId = `asked-${process.pid}-${serial++}`;
  const asked = await ask(gateway.url, id, {
    method,
    headers: { origin: APP, 'x-request-id': requestId, ...headers },
  });
  return { ...asked, requestId };
}

/** The one log line of a request that has ended. */
export async function lineOf(gateway: Gateway, requestId: string): Promise<LogLine | undefined> {
  return eventually(() => gateway.logs().find((line) => line.requestId === requestId), 3_000);
}

/** 401 with this challenge, readable for a browser, without a question to upstream or to any cache. */
export async function expectRefused(
  { gateway, simulator }: { readonly gateway: Gateway; readonly simulator: Simulator },
  id: string,
  headers: Record<string, string>,
  challenge: string,
): Promise<void> {
  const before = simulator.count();
  const refused = await askAs(gateway, id, headers);
  const about = JSON.stringify(headers).slice(0, 300);
  expect([refused.status, refused.error.error], about).toEqual([401, 'unauthorized']);
  expect(refused.error).toEqual({
    error: 'unauthorized',
    message: 'A valid grant is required.',
    request_id: refused.requestId,
    retryable: false,
  });
  expect(refused.headers.get('www-authenticate'), about).toBe(challenge);
  expectReadable(refused);
  expect(simulator.count(), about).toBe(before);
  const line = await lineOf(gateway, refused.requestId);
  expect(line, about).toMatchObject({ status: 401, code: 'unauthorized', cache: 'none', upstreamMs: 0 });
  expect(line, about).not.toHaveProperty('invocationId');
}

/** #51: a browser's script can read this error, and no cache keeps it. */
export function expectReadable({ headers }: Asked): void {
  expect(headers.get('access-control-allow-origin')).toBe(APP);
  expect(headers.get('access-control-expose-headers')).toContain('X-Request-Id');
  expect(headers.get('vary')).toBe('Origin, Authorization, x-chroma-token');
  expect(headers.get('cache-control')).toBe('no-store');
  expect(headers.get('x-request-id')).toBeTruthy();
  expect([headers.get('etag'), headers.get('cache-status'), headers.get('age')]).toEqual([null, null, null]);
}
