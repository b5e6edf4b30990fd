/** TLS towards upstream (faults.md #56): a certificate that is not good gets no byte of the token. */
import { afterAll, describe, expect, it } from 'vitest';
import { ask, newId } from './support/ask.ts';
import { makeCertificates } from './support/certificates.ts';
import { type Gateway, RUNTIMES, startNode, startWorkerd, TOKEN } from './support/gateway.ts';
import { type RawUpstream, response, startRawUpstream } from './support/raw-upstream.ts';
import { failuresOf } from './support/upstream-rig.ts';

const certificates = makeCertificates();
afterAll(() => certificates?.remove());

describe.runIf(certificates)('TLS towards upstream', () => {
  const { ca, caFile, good, ...bad } = certificates!;

  const start = (runtime: Gateway['runtime'], url: string): Promise<Gateway> =>
    runtime === 'node'
      ? startNode(url, { NODE_EXTRA_CA_CERTS: caFile })
      : startWorkerd(url, {}, { trusted: ca });

  async function withUpstream(
    runtime: Gateway['runtime'],
    upstream: RawUpstream,
    use: (gateway: Gateway) => Promise<void>,
  ): Promise<void> {
    const gateway = await start(runtime, `https://127.0.0.1:${upstream.port}`);
    try {
      await use(gateway);
    } finally {
      await gateway.stop();
      await upstream.close();
    }
  }

  it.each(RUNTIMES)(
    'a certificate that we may trust is the way the token travels, on %s',
    async (runtime) => {
      const upstream = await startRawUpstream(good);
      await withUpstream(runtime, upstream, async ({ url }) => {
        expect((await ask(url, newId())).status).toBe(200);
        expect(upstream.received()).toContain(TOKEN);
      });
    },
  );

  const wrong = [
    ['self-signed', bad.selfSigned, 'DEPTH_ZERO_SELF_SIGNED_CERT'],
    ['expired', bad.expired, 'CERT_HAS_EXPIRED'],
    ['for another name', bad.wrongName, 'ERR_TLS_CERT_ALTNAME_INVALID'],
    ['missing: plain HTTP on the port', undefined, /^ERR_SSL_/],
  ] as const;
  const rows = RUNTIMES.flatMap((runtime) => wrong.map((row) => [runtime, ...row] as const));

  it.each(rows)(
    '#56 on %s, a certificate that is %s: no token byte leaves, nothing is downgraded',
    async (runtime, _name, tls, cause) => {
      const upstream = await startRawUpstream(tls, ({ socket }) => socket.end(response(400)));
      await withUpstream(runtime, upstream, async (gateway) => {
        const id = newId();
        const { status, error, headers } = await ask(gateway.url, id);
        if (runtime === 'node') {
          expect([status, error.error, headers.get('retry-after'), error.retryable]).toEqual([
            502,
            'upstream_tls',
            '60',
            false,
          ]);
          const [line] = await failuresOf(gateway, id); // one: it was not tried again
          expect(line).toMatchObject({ phase: 'connect', reason: 'tls', bytes: 0 });
          expect(line?.cause).toEqual(typeof cause === 'string' ? cause : expect.stringMatching(cause));
          expect(upstream.connections()).toBe(1);
        } else {
          // workerd tells TLS from other failures by nothing (facts M21; contract §6), so it is tried twice.
          expect([status, error.error, error.retryable]).toEqual([503, 'upstream_unavailable', true]);
          expect(upstream.connections()).toBeLessThanOrEqual(2);
        }
        expect(upstream.received()).not.toContain(TOKEN);
        expect(upstream.received()).not.toContain(TOKEN.slice(-10));
        expect(upstream.requests()).toBe(0);
      });
    },
  );
});
