/** Secrets of the environment, which on Node may stand in a file instead, as container platforms provide them. */
import type { Environment, ReadFile } from './environment.ts';

/** A variable that has a twin which names a file. */
type SecretName = 'CHROMA_API_KEY' | 'GRANT_SECRET';

/** A secret, trimmed, and the variable that it comes from. */
export interface Secret<Name extends SecretName> {
  readonly name: Name | `${Name}_FILE`;
  /** `undefined`: neither variable is set, or the file is not usable, which is a problem of the one that names it. */
  readonly value: string | undefined;
}

/** The upstream token, trimmed; empty when there is a problem. */
export function parseToken(environment: Environment): string {
  const { bad } = environment;
  const { name, value } = readSecret(environment, 'CHROMA_API_KEY');
  if (value !== undefined && !/^[\x20-\x7e]*$/.test(value)) {
    bad(name, 'must be printable ASCII without control characters or line breaks inside');
  }
  if (value === undefined && name === 'CHROMA_API_KEY') bad(name, "is required: Chroma's API key");
  return value ?? '';
}

/** Reads `name`, or the file that `${name}_FILE` names; setting both is a problem (contract §3). */
export function readSecret<Name extends SecretName>(environment: Environment, name: Name): Secret<Name> {
  const { text, bad, readFile } = environment;
  const fileName = `${name}_FILE` as const;
  const file = text(fileName);
  const value = text(name);
  if (file === undefined) return { name, value };
  if (value !== undefined) bad(fileName, `must not be set together with ${name}`);
  else if (readFile === undefined) bad(fileName, 'works on Node only');
  else {
    const content = contentOf(file, readFile);
    if (content !== undefined && content !== '') return { name: fileName, value: content };
    bad(fileName, content === '' ? 'names an empty file' : 'names a file that cannot be read');
  }
  return { name: fileName, value: undefined };
}

function contentOf(file: string, readFile: ReadFile): string | undefined {
  try {
    return readFile(file).trim();
  } catch {
    return undefined;
  }
}
