/**
 * A lean Chroma Sync that has lists: any id is a finished job, any query the same list. `PORT`; `BODY`, a job, with the id to
 * be replaced in `ID`; the list's `JOBS`, `BYTES_PER_JOB` and `FILLING` as of `list-bodies.ts`; `DELAY_MS` before each list,
 * or `never`. Any other path is answered at once.
 */
import { createServer } from 'node:http';
import { FILLINGS, listBody } from '../../test/support/list-bodies.ts';

const {
  PORT,
  BODY = '',
  ID = '',
  JOBS = '20',
  BYTES_PER_JOB = '0',
  FILLING = 'words',
  DELAY_MS = '0',
} = process.env;
const [before = '', after = ''] = BODY.split(ID);
const list = Buffer.from(
  listBody(Number(JOBS), Number(BYTES_PER_JOB), FILLINGS[FILLING as keyof typeof FILLINGS]),
);

const server = createServer({ keepAliveTimeout: 65_000 }, ({ url = '' }, response) => {
  const isList = url.startsWith('/api/v1/invocations?');
  const body = isList ? list : before + url.slice(url.lastIndexOf('/') + 1) + after;
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
  const answer = () => response.writeHead(200, headers).end(body);
  if (!isList || DELAY_MS === '0') answer();
  else if (DELAY_MS !== 'never') setTimeout(answer, Number(DELAY_MS));
});
server.listen(Number(PORT), '127.0.0.1', 16_384);
