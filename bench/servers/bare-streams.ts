/**
 * The ceiling of watching: `node:http` that holds every GET open and writes what is posted to it to all of them, the same
 * bytes as the gateway. Nothing is looked at, nothing is held back for a slow reader. `PORT`, and `HEADERS` as JSON.
 */
import { createServer, type ServerResponse } from 'node:http';

const headers = JSON.parse(process.env.HEADERS ?? '{}') as Record<string, string>;
const streams = new Set<ServerResponse>();
let newest = '';

const server = createServer({ keepAliveTimeout: 65_000 }, (request, response) => {
  if (request.url === '/healthz') {
    response.end();
  } else if (request.method === 'POST') {
    let text = '';
    request.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    request.on('end', () => {
      newest = text;
      response.end();
      for (const stream of streams) stream.write(text);
    });
  } else {
    response.writeHead(200, headers);
    response.write('retry: 3000\n\n');
    response.write(newest);
    streams.add(response);
    response.once('close', () => streams.delete(response));
  }
});
server.listen(Number(process.env.PORT), '127.0.0.1', 16_384);
