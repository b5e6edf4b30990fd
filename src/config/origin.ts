/** Which texts are origins (Fetch standard §3.2), as the environment lists them. Pure. */

/** `CORS_ORIGINS` as its origins: comma-separated, white space around each trimmed; `undefined` if any is none. */
export function parseOrigins(text: string): readonly string[] | undefined {
  const origins = text
    .split(',')
    .map((origin) => origin.trim())
    .filter((origin) => origin !== '');
  return origins.every(isOrigin) ? origins : undefined;
}

/** Exactly what a browser would send, or `*`: no path, no upper case, no default port; mobile schemes too. */
export function isOrigin(text: string): boolean {
  if (text === '*') return true;
  if (!/^[a-z][a-z0-9+.-]*:\/\/[^/?#\s@*A-Z]+$/.test(text)) return false;
  const parsed = URL.parse(text);
  return parsed !== null && (!/^https?:$/.test(parsed.protocol) || parsed.origin === text);
}
