/** Whether upstream was asked for nothing but what the contract names, in nothing but our own words. */

const NAMES = new Set([
  'host',
  'accept',
  'accept-encoding',
  'user-agent',
  'x-chroma-token',
  'connection',
  'cf-worker',
]);
const CONTAINER = '(?:source_id=[0-9a-f-]{36}&|database_name=(?:[\\w.!~*()-]|%[0-9A-F]{2})+&)?';
const LIST = `\\?${CONTAINER}limit=\\d{1,3}&offset=\\d{1,7}&order_by=(?:ASC|DESC)`;
const LINE = new RegExp(`^GET /api/v1/invocations(?:/[0-9a-f-]{36}|${LIST}) HTTP/1\\.1$`);

/** A token's beginning, longer than what a list's name has by chance. */
const TOKEN = /eyJ[\w-]{6}|authorization/;

/** @param received everything that ever came to upstream. Returns what is strange in it, or nothing */
export function strangeIn(received: string): string | undefined {
  for (const head of received.split(/(?=GET )/)) {
    const [line = '', ...headers] = head.trimEnd().split('\r\n');
    if (!LINE.test(line)) return line;
    const strange = headers.find((header) => !NAMES.has(header.split(':')[0]!.toLowerCase()));
    if (strange !== undefined) return strange;
  }
  return TOKEN.exec(received)?.[0];
}
