/**
 * Finds a secret in anything that came out of a process, in seven encodings: plain, base64 at each alignment,
 * base64url, hex, upper-case hex, URL-encoded, and its SHA-256. Written apart from the gateway's own scan, which it
 * judges, and stricter: it looks for the secret's middle, so that a cut or prefixed secret is found too.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

export interface Canary {
  /** The whole secret in each encoding, base64 where it stands alone: for an upstream that echoes it. */
  readonly encodings: Readonly<Record<string, string>>;
  /** Which encoding of it stands in these bytes, if any. */
  findIn(bytes: Buffer | string): string | undefined;
  /** The same for every file below a folder; names the file. */
  findInFiles(folder: string): string | undefined;
}

/** How much of the secret is left out at each end; what remains must be unmistakable. */
const TRIM = 3;

export function createCanary(secret: string): Canary {
  const middle = secret.slice(TRIM, -TRIM);
  const needles: [name: string, needle: string][] = [...inEveryEncoding(middle)];
  const digest = createHash('sha256').update(secret).digest();
  needles.push(['sha256', digest.toString('hex')], ['SHA256', digest.toString('hex').toUpperCase()]);
  needles.push(['sha256 base64', digest.toString('base64').replace(/=+$/, '')]);

  const findIn = (bytes: Buffer | string) => {
    const text = typeof bytes === 'string' ? bytes : bytes.toString('latin1');
    return needles.find(([, needle]) => text.includes(needle))?.[0];
  };
  return {
    encodings: {
      ...Object.fromEntries(inEveryEncoding(secret).filter(([name]) => !name.startsWith('base64'))),
      base64: Buffer.from(secret).toString('base64'),
      base64url: Buffer.from(secret).toString('base64url'),
      sha256: digest.toString('hex'),
    },
    findIn,
    findInFiles(folder) {
      for (const name of readdirSync(folder, { recursive: true }) as string[]) {
        const path = join(folder, name);
        const found = statSync(path).isFile() ? findIn(readFileSync(path)) : undefined;
        if (found !== undefined) return `${found} in ${name}`;
      }
      return undefined;
    },
  };
}

function inEveryEncoding(text: string): [string, string][] {
  const bytes = Buffer.from(text);
  const percent = encodeURIComponent(text);
  return [
    ['plain', text],
    ...[0, 1, 2].flatMap((offset): [string, string][] => [
      [`base64 at ${offset}`, aligned(bytes, offset, 'base64')],
      [`base64url at ${offset}`, aligned(bytes, offset, 'base64url')],
    ]),
    ['hex', bytes.toString('hex')],
    ['HEX', bytes.toString('hex').toUpperCase()],
    ['URL-encoded', percent],
    ['url-encoded', percent.replace(/%../g, (code) => code.toLowerCase())],
  ];
}

/** What is the same whatever stands before and after, `offset` bytes into a group of three. */
function aligned(bytes: Buffer, offset: number, encoding: 'base64' | 'base64url'): string {
  const from = (3 - offset) % 3;
  const whole = bytes.subarray(from, bytes.length - ((bytes.length - from) % 3));
  return whole.toString(encoding);
}
