/** Answers as the bytes that they are, for a connection on which Node writes none any more. */
import { STATUS_CODES } from 'node:http';
import type { Reply } from '../http/exchange.ts';

/** Node's own words for what its parser refuses. */
export function refusedByParser(code: string | undefined): string {
  const status =
    code === 'HPE_HEADER_OVERFLOW'
      ? 431
      : code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW'
        ? 413
        : code === 'ERR_HTTP_REQUEST_TIMEOUT'
          ? 408
          : 400;
  return `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\n\r\n`;
}

/** An answer for a stream that Node has let go of. */
export function textOf({ status, headers, body }: Reply): string {
  const all = { ...headers, Date: new Date().toUTCString(), Connection: 'close' };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body ?? ''}`;
}
