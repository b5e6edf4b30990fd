/** Secrets as others may show them: as they are, and by their digests. */
import { hash } from 'node:crypto';
import { createSecretScan, type SecretScan } from '../domain/secret-scan.ts';

/** A service that names keys by their SHA-256 must not tell our callers, nor our log, either (advisory V24). */
export function scanFor(secrets: readonly string[]): SecretScan {
  return createSecretScan(secrets, (secret) => {
    const hex = hash('sha256', secret);
    const base64 = hash('sha256', secret, 'base64').replace('=', '');
    return [hex, hex.toUpperCase(), base64, hash('sha256', secret, 'base64url')];
  });
}
