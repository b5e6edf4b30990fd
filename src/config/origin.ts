/** Which texts are origins (Fetch standard §3.2), as the environment lists them. Pure. */

/** The origins of a comma-separated list, white space around each trimmed; `undefined` if one of them is not an origin. */
export function parseOrigins(text: string): readonly string[] | undefined {
  const origins = text
    .split(',')
    .map((origin) => origin.trim())
    .filter((origin) => origin !== '');
  return origins.every(isOrigin) ? origins : undefined;
}

/**
 * Exactly what a browser would send, or `*`: no path, no upper case, no default port. The schemes of mobile apps
 * (`capacitor://localhost`) are taken too.
 */
export function isOrigin(text: string): boolean {
  if (text === '*') return true;
  if (!/^[a-z][a-z0-9+.-]*:\/\/[^/?#\s@*A-Z]+$/.test(text)) return false;
  const parsed = URL.parse(text);
  return parsed !== null && (!/^https?:$/.test(parsed.protocol) || parsed.origin === text);
}
