/** What the codes of Node, OpenSSL and undici mean (#139, #140): those that are listed, and those that are not. */
import { describe, expect, it } from 'vitest';
import { upstreamFailureOf } from '../../../../src/upstream/failure.ts';
import { connectFault, faultOf } from '../../../../src/upstream/undici/faults.ts';
import { weightOf } from '../../../../src/upstream/weight.ts';

const coded = (code?: string) => Object.assign(new Error('private'), code === undefined ? {} : { code });
const live = new AbortController().signal;
const connecting = (code?: string, isSecure = true) =>
  upstreamFailureOf(connectFault(coded(code), isSecure), live, false);

/** Whatever else errno(3) may say is the system's too: the last are of no list. */
const LOCAL = [
  ...['EMFILE', 'ENFILE', 'EACCES', 'EPERM', 'ENOMEM', 'ENOBUFS', 'EADDRNOTAVAIL', 'EADDRINUSE', 'EINVAL'],
  ...[
    'EAGAIN',
    'EAFNOSUPPORT',
    'EPROTONOSUPPORT',
    'ENOPROTOOPT',
    'EBADF',
    'ENOSR',
    'EUSERS',
    'EDQUOT',
    'EIO',
  ],
  ...['EAI_MEMORY', 'EL3HLT', 'ENEVERHEARDOF'],
];
const NETWORK = [
  ...['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN', 'ENETDOWN'],
  ...['ECONNRESET', 'ECONNABORTED', 'EPIPE', 'ENETRESET', 'UND_ERR_SOCKET'],
  ...['ENOTFOUND', 'EAI_AGAIN', 'EAI_FAIL', 'EAI_NODATA', 'EAI_SOMETHING'],
];
/** OpenSSL's X509_V_ERR names as Node gives them, and of its reasons; the last are of no list. */
const VERDICTS = [
  ...['PATH_LENGTH_EXCEEDED', 'EE_KEY_TOO_SMALL', 'CA_KEY_TOO_SMALL', 'CA_MD_TOO_WEAK', 'INVALID_CA'],
  ...['INVALID_PURPOSE', 'CERT_UNTRUSTED', 'CERT_REJECTED', 'CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID'],
  ...['CERT_REVOKED', 'CERT_CHAIN_TOO_LONG', 'CERT_SIGNATURE_FAILURE', 'CRL_HAS_EXPIRED', 'UNSPECIFIED'],
  ...['UNABLE_TO_GET_ISSUER_CERT', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'ERROR_IN_CERT_NOT_BEFORE_FIELD'],
  ...['SELF_SIGNED_CERT_IN_CHAIN', 'DEPTH_ZERO_SELF_SIGNED_CERT', 'HOSTNAME_MISMATCH', 'OUT_OF_MEM'],
  ...['OCSP_VERIFY_NEEDED', 'EMAIL_MISMATCH', 'PERMITTED_VIOLATION', 'ERR_TLS_CERT_ALTNAME_INVALID'],
  ...['EPROTO', 'ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_DH_KEY_TOO_SMALL', 'ERR_OSSL_ANYTHING'],
  ...['A_VERDICT_OF_NEXT_YEAR', '5', undefined],
];

describe('a failure to connect', () => {
  it.each(LOCAL)('#139 %s is this process’s own: unavailable, not counted, not retried', (code) => {
    for (const isSecure of [false, true]) {
      const failure = connecting(code, isSecure);
      expect(failure).toMatchObject({ code: 'upstream_unavailable', local: true, retry: 'no' });
      expect(weightOf(failure)).toBe('unasked');
    }
  });

  it.each(NETWORK)('%s is upstream’s: unavailable, counted, tried again within the budget', (code) => {
    const failure = connecting(code);
    expect(failure).toMatchObject({ code: 'upstream_unavailable', local: false, retry: 'within_budget' });
    expect(weightOf(failure)).toBe('failure');
  });

  it.each(VERDICTS)('#140 %s is a TLS verdict where TLS was asked for', (code) => {
    const failure = connecting(code);
    expect(failure).toMatchObject({ code: 'upstream_tls', local: false, retry: 'no' });
    expect(weightOf(failure)).toBe('failure');
  });

  it('#139 without TLS, a code that nobody knows, or none, is unavailable, and never internal', () => {
    for (const code of ['A_CODE_OF_NEXT_YEAR', 'ERR_SOMETHING', undefined])
      expect(connecting(code, false)).toMatchObject({ code: 'upstream_unavailable', local: false });
    for (const thrown of ['text', undefined, null, 5, {}])
      expect(upstreamFailureOf(connectFault(thrown, false), live, false).code).toBe('upstream_unavailable');
    expect(connecting('UND_ERR_OF_NEXT_YEAR').code).toBe('upstream_unavailable');
    for (const code of ['ETIMEDOUT', 'UND_ERR_CONNECT_TIMEOUT'])
      expect(connecting(code)).toMatchObject({ code: 'upstream_timeout', local: false });
  });

  it('#139 of several addresses: what the network said of one counts, else it is local', () => {
    const of = (...codes: string[]) => {
      const error = Object.assign(new AggregateError(codes.map(coded)), { code: codes[0] });
      return connectFault(error, true).kind;
    };
    expect(of('EADDRNOTAVAIL', 'ECONNREFUSED')).toBe('refused');
    expect(of('ENETUNREACH', 'EMFILE')).toBe('refused');
    expect(of('EADDRNOTAVAIL', 'EMFILE')).toBe('local');
  });
});

it('#140 a verdict of upstream’s own may come after the handshake', () => {
  for (const code of ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', 'ERR_SSL_OF_NEXT_YEAR', 'EPROTO'])
    expect(upstreamFailureOf(faultOf(coded(code)), live, false).code).toBe('upstream_tls');
});

describe('#139 a failure that nobody listed', () => {
  it('is unavailable before the headers and an unusable answer after them, whatever undici threw', () => {
    for (const error of [
      coded('X_OF_NEXT_YEAR'),
      coded(),
      new TypeError('x'),
      coded('UND_ERR_NEW'),
      'text',
    ]) {
      expect(upstreamFailureOf(faultOf(error), live, false).code).toBe('upstream_unavailable');
      expect(upstreamFailureOf(faultOf(error), live, true).code).toBe('upstream_bad_response');
    }
  });

  it('that our own code threw is a bug, and looks like one', () => {
    expect(upstreamFailureOf(new TypeError('x'), live, false).code).toBe('internal');
    expect(upstreamFailureOf(new TypeError('x'), live, true).code).toBe('internal');
  });
});
