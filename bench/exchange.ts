/** One request, and its answer exactly as it came: names as written, in their order. */
import { dial, requestText, sendOn } from '../test/support/raw-socket.ts';

export interface Answer {
  readonly status: number;
  /** Name, value, name, value, …, less what the connection is about. */
  readonly headers: readonly string[];
  readonly body: string;
  /** Of the whole answer on the wire. */
  readonly bytes: number;
}

/** On a connection of its own that is kept alive as load tools do. Rejects after 5 s. */
export async function ask(url: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
  const { host, pathname, search } = new URL(url);
  const socket = await dial(url);
  const request = requestText(pathname + search, { Host: host, Connection: 'keep-alive', ...headers });
  const answer = await sendOn(socket, request, { withinMs: 5_000 });
  const bytes = socket.bytesRead;
  socket.destroy();
  if (typeof answer === 'string') throw new Error(`no answer, ${answer}: ${url}`);
  return {
    status: answer.status,
    headers: pairsIn(answer.head),
    body: answer.body.toString(),
    bytes,
  };
}

function pairsIn(head: string): string[] {
  return head
    .split('\r\n')
    .slice(1)
    .map((line): [string, string] => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon), line.slice(colon + 1).trim()];
    })
    .filter(([name]) => !/^(connection|keep-alive)$/i.test(name))
    .flat();
}

/** Lower-case names, sorted: what two answers must share to be the same amount of header work. */
export function headerNames({ headers }: Answer): string {
  return headers
    .filter((_, index) => index % 2 === 0)
    .map((name) => name.toLowerCase())
    .sort()
    .join(' ');
}
