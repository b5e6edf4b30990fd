/**
 * A lean stand-in for Chroma Sync: any id is a finished job. Leaner than the simulator, because here it must
 * never be the bottleneck. `PORT`; `BODY`, with the id to be replaced in `ID`; `DELAY_MS` before each answer;
 * `HEADERS`, JSON, more headers. Any other path tells how many lookups came.
 */
import { createServer } from 'node:http';

const { PORT, BODY = '', ID = '', DELAY_MS = '0', HEADERS = '{}' } = process.env;
const [before = '', after = ''] = BODY.split(ID);
const delayMs = Number(DELAY_MS);
const headers = {
  'content-type': 'application/json',
  'content-length': String(Buffer.byteLength(BODY)),
  ...(JSON.parse(HEADERS) as Record<string, string>),
};
let count = 0;

const server = createServer({ keepAliveTimeout: 65_000 }, ({ url = '' }, response) => {
  if (!url.startsWith('/api/')) {
    response.end(String(count));
    return;
  }
  count++;
  const body = before + url.slice(url.lastIndexOf('/') + 1) + after;
  const answer = () => response.writeHead(200, headers).end(body);
  if (delayMs > 0) setTimeout(answer, delayMs);
  else answer();
});
server.listen(Number(PORT), '127.0.0.1', 16_384);
