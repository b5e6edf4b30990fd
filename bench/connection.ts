/**
 * The leanest HTTP/1.1 client there is: one socket, one request at a time, answers with a `Content-Length`.
 * The same for every contender, so that no client's cost is taken for a server's.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

type Done = (status: number) => void;

export class Connection {
  readonly #socket: Socket;
  #seen = '';
  #done: Done | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true).setEncoding('latin1');
    socket.on('data', (text: string) => this.#take(text));
    socket.on('error', () => this.#end(0));
    socket.on('close', () => this.#end(0));
  }

  /** Connects to a port of 127.0.0.1. */
  static async open(port: number): Promise<Connection> {
    const socket = connect({ port, host: '127.0.0.1' });
    await once(socket, 'connect');
    return new Connection(socket);
  }

  /** A GET as it goes onto the wire. */
  static requestText(host: string, path: string, headers: Readonly<Record<string, string>> = {}): string {
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    return `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${lines.join('')}\r\n`;
  }

  /** `done` gets the status when the whole answer is here, 0 when the connection failed. */
  send(text: string, done: Done): void {
    this.#done = done;
    this.#socket.write(text, 'latin1');
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(text: string): void {
    const all = this.#seen + text;
    const headEnd = all.indexOf('\r\n\r\n');
    const length = headEnd < 0 ? undefined : /\r\ncontent-length: (\d+)/i.exec(all)?.[1];
    if (length === undefined || all.length < headEnd + 4 + Number(length)) {
      this.#seen = all;
      return;
    }
    this.#seen = '';
    this.#end(Number(all.slice(9, 12)));
  }

  #end(status: number): void {
    const done = this.#done;
    this.#done = undefined;
    done?.(status);
  }
}
