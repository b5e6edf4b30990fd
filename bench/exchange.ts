/** One request, and its answer exactly as it came: names as written, in their order. */
import { request } from 'node:http';

export interface Answer {
  readonly status: number;
  /** Name, value, name, value, …, less what the connection is about. */
  readonly headers: readonly string[];
  readonly body: string;
  /** Of the whole answer on the wire. */
  readonly bytes: number;
}

/** On a connection of its own that is kept alive as load tools do. Rejects after 5 s. */
export function ask(url: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(url, {
      headers: { connection: 'keep-alive', ...headers },
      timeout: 5_000,
      agent: false,
    });
    sent.on('timeout', () => sent.destroy(new Error(`no answer: ${url}`)));
    sent.on('error', reject);
    sent.on('response', (response) => {
      const { socket } = response;
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const answer = {
          status: response.statusCode ?? 0,
          headers: withoutConnection(response.rawHeaders),
          body: Buffer.concat(chunks).toString(),
          bytes: socket.bytesRead,
        };
        socket.destroy();
        resolve(answer);
      });
    });
    sent.end();
  });
}

function withoutConnection(rawHeaders: readonly string[]): string[] {
  return rawHeaders.filter((_, index) => {
    const name = rawHeaders[index - (index % 2)]?.toLowerCase();
    return name !== 'connection' && name !== 'keep-alive';
  });
}

/** Lower-case names, sorted: what two answers must share to be the same amount of header work. */
export function headerNames({ headers }: Answer): string {
  return headers
    .filter((_, index) => index % 2 === 0)
    .map((name) => name.toLowerCase())
    .sort()
    .join(' ');
}
