/** TLS towards upstream (faults #56): a certificate that is not good gets no byte of the token. */
import { afterAll, describe, expect, it } from 'vitest';
import { ask, newId } from '../../support/ask.ts';
import { type Certificate, makeCertificates } from '../../support/certificates.ts';
import { type Gateway, RUNTIMES, startNode, startWorkerd, TOKEN } from '../../support/gateway.ts';
import { type RawUpstream, response, startRawUpstream } from '../../support/raw-upstream.ts';
import { failuresOf } from '../../support/upstream-rig.ts';

const certificates = makeCertificates();
afterAll(() => certificates?.remove());

describe.runIf(certificates)('TLS towards upstream', () => {
  const { ca, caFile, good, odd, ...bad } = certificates!;

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
  // A server that OpenSSL would not let present them otherwise.
  const lax = (odd: Certificate) => ({ ...odd, ciphers: 'DEFAULT@SECLEVEL=0' });
  const unlisted = [
    ['too deep for its authority', lax(odd.pathTooLong), /^PATH_LENGTH_EXCEEDED$/],
    ['of 1024 bits', lax(odd.smallKey), /^(EE_KEY_TOO_SMALL|UNSPECIFIED)$/],
    ['signed with SHA-1', lax(odd.weakDigest), /^(CA_MD_TOO_WEAK|UNSPECIFIED)$/],
    ['signed by what is no authority', lax(odd.issuerIsNoCa), /^INVALID_(CA|PURPOSE)$/],
    ['for clients only', lax(odd.forClients), /^INVALID_PURPOSE$/],
  ] as const;
  it.each(unlisted)(
    '#140 a certificate that is %s: a TLS verdict like any other',
    async (_name, tls, cause) => {
      const upstream = await startRawUpstream(tls);
      await withUpstream('node', upstream, async (gateway) => {
        const id = newId();
        const { status, error, headers } = await ask(gateway.url, id);
        expect([status, error.error, headers.get('retry-after')]).toEqual([502, 'upstream_tls', '60']);
        const [line] = await failuresOf(gateway, id);
        expect(line).toMatchObject({ phase: 'connect', reason: 'tls', bytes: 0 });
        expect(line?.cause).toMatch(cause); // by version of OpenSSL
        expect(upstream.received()).not.toContain(TOKEN);
      });
    },
  );

  it('#140 an upstream that speaks no version of ours is a TLS failure too', async () => {
    const upstream = await startRawUpstream({ ...lax(good), minVersion: 'TLSv1', maxVersion: 'TLSv1.1' });
    await withUpstream('node', upstream, async (gateway) => {
      const { status, error } = await ask(gateway.url, newId());
      expect([status, error.error]).toEqual([502, 'upstream_tls']);
    });
  });

  it('#140 a reset or an end during the handshake is no verdict: unavailable, and tried once more', async () => {
    for (const end of ['resetAndDestroy', 'end'] as const) {
      const upstream = await startRawUpstream(undefined, ({ socket }) => void socket[end]());
      await withUpstream('node', upstream, async (gateway) => {
        const id = newId();
        const { status, error } = await ask(gateway.url, id);
        expect([status, error.error]).toEqual([503, 'upstream_unavailable']);
        const lines = await failuresOf(gateway, id, 2);
        for (const line of lines) expect(line).toMatchObject({ reason: 'reset', phase: 'connect' });
      });
    }
  });

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
          // workerd tells TLS from other failures by nothing (platform M21; contract §6), so it is tried twice.
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
