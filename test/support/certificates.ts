/** Certificates for 127.0.0.1, made with openssl for one run: a private CA, and what can be wrong with one. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Certificate {
  readonly key: string;
  readonly cert: string;
}

export interface Certificates {
  /** PEM of the CA, and a file that holds it. */
  readonly ca: string;
  readonly caFile: string;
  readonly good: Certificate;
  readonly selfSigned: Certificate;
  readonly expired: Certificate;
  readonly wrongName: Certificate;
  /** Good names, and each with something that OpenSSL refuses under a name without a common prefix (#140). */
  readonly odd: Readonly<
    Record<'pathTooLong' | 'smallKey' | 'weakDigest' | 'issuerIsNoCa' | 'forClients', Certificate>
  >;
  remove(): void;
}

/** `undefined`, said loudly, where there is no openssl; under `CI=true` that is a failure. */
export function makeCertificates(): Certificates | undefined {
  try {
    execFileSync('openssl', ['version']);
  } catch {
    const message = 'openssl is missing (Debian package openssl): TLS faults are not tested';
    if (process.env.CI === 'true') throw new Error(message);
    console.error(message);
    return undefined;
  }
  const folder = mkdtempSync(join(tmpdir(), 'gateway-tls-'));
  const at = (name: string) => join(folder, name);
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  const key = (name: string) =>
    openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', `${name}.key`);
  key('ca');
  openssl('req', '-x509', '-key', 'ca.key', '-out', 'ca.pem', '-days', '2', '-subj', '/CN=test ca');

  function signed(name: string, subjectAltName: string, days: string): Certificate {
    key(name);
    writeFileSync(at(`${name}.ext`), `subjectAltName=${subjectAltName}\n`);
    openssl('req', '-new', '-key', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
    const by = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-extfile', `${name}.ext`];
    openssl('x509', '-req', '-in', `${name}.csr`, '-out', `${name}.pem`, '-days', days, ...by);
    return { key: readFileSync(at(`${name}.key`), 'utf8'), cert: readFileSync(at(`${name}.pem`), 'utf8') };
  }

  function selfSigned(name: string): Certificate {
    key(name);
    const self = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
    openssl('req', '-x509', '-key', `${name}.key`, '-out', `${name}.pem`, '-days', '2', ...self);
    return { key: readFileSync(at(`${name}.key`), 'utf8'), cert: readFileSync(at(`${name}.pem`), 'utf8') };
  }

  const NAME = 'subjectAltName=IP:127.0.0.1';

  /** Signed by a certificate that the CA signed with these extensions; the chain goes with it. */
  function below(name: string, issuerExtensions: string): Certificate {
    const issuer = certify(`${name}-issuer`, 'ca', { extensions: issuerExtensions });
    const leaf = certify(name, `${name}-issuer`, { extensions: NAME });
    return { key: leaf.key, cert: leaf.cert + issuer.cert };
  }

  function certify(
    name: string,
    by: string,
    { extensions, rsaBits, digest = 'sha256' }: { extensions: string; rsaBits?: number; digest?: string },
  ): Certificate {
    if (rsaBits === undefined) key(name);
    else openssl('genrsa', '-out', `${name}.key`, String(rsaBits));
    writeFileSync(at(`${name}.ext`), `${extensions}\n`);
    openssl('req', '-new', '-key', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
    const issuer = ['-CA', `${by}.pem`, '-CAkey', `${by}.key`, '-CAcreateserial', `-${digest}`];
    const wanted = ['-extfile', `${name}.ext`, '-out', `${name}.pem`, '-days', '2'];
    openssl('x509', '-req', '-in', `${name}.csr`, ...issuer, ...wanted);
    return { key: readFileSync(at(`${name}.key`), 'utf8'), cert: readFileSync(at(`${name}.pem`), 'utf8') };
  }

  /** Two authorities in a row where the first may sign none. */
  function tooDeep(): Certificate {
    const first = certify('deep-first', 'ca', { extensions: 'basicConstraints=critical,CA:TRUE,pathlen:0' });
    const second = certify('deep-second', 'deep-first', { extensions: 'basicConstraints=critical,CA:TRUE' });
    const leaf = certify('deep', 'deep-second', { extensions: NAME });
    return { key: leaf.key, cert: leaf.cert + second.cert + first.cert };
  }

  return {
    odd: {
      pathTooLong: tooDeep(),
      smallKey: certify('small', 'ca', { extensions: NAME, rsaBits: 1024 }),
      weakDigest: certify('weak', 'ca', { extensions: NAME, digest: 'sha1' }),
      issuerIsNoCa: below('orphan', 'basicConstraints=critical,CA:FALSE'),
      forClients: certify('client', 'ca', { extensions: `${NAME}\nextendedKeyUsage=clientAuth` }),
    },
    ca: readFileSync(at('ca.pem'), 'utf8'),
    caFile: at('ca.pem'),
    good: signed('good', 'IP:127.0.0.1', '2'),
    selfSigned: selfSigned('self'),
    expired: signed('expired', 'IP:127.0.0.1', '-1'),
    wrongName: signed('wrong', 'DNS:elsewhere.example', '2'),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
