/**
 * What went over one connection, as requests with their answers. Reads only what is beyond doubt: where a request could be
 * read in two ways, or the HTTP parser refused it, nothing on that connection is paired any more.
 */

export interface Exchange {
  readonly method: string;
  /** As in the request line. */
  readonly target: string;
  /** A request header's value by lower-case name, several joined by `, `. */
  readonly asked: (name: string) => string | undefined;
  readonly status: number;
  /** By lower-case name; several of one name joined by `, `. */
  readonly headers: Readonly<Record<string, string>>;
  /** UTF-8. */
  readonly body: string;
  /** The answer was cut, or the caller left before its end. */
  readonly isCut: boolean;
}

interface Head {
  readonly line: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Where the body begins. */
  readonly end: number;
}

interface Body {
  readonly bytes: Buffer;
  /** Where what follows begins; undefined when the body has not come whole. */
  readonly end: number | undefined;
}

const REQUEST_LINE = /^([A-Z]+) (\S+) HTTP\/1\.[01]$/;
const FRAMING = ['content-length', 'transfer-encoding'] as const;

export interface Wire {
  /** Neither is copied, nor looked at before somebody asks for exchanges. */
  sent(chunk: Buffer | string, encoding: BufferEncoding): void;
  received(chunk: Buffer): void;
  /** What can be read by now and was not read before. @param isOver nothing more will come */
  exchanges(isOver: boolean): Exchange[];
}

/** Who sends so much asks for no answer, but to see how much the gateway can bear. */
const MAX_SENT = 262_144;

export function createWire(): Wire {
  let sent: Buffer[] = [];
  let received: Buffer[] = [];
  let sentBytes = 0;
  let isLost = false;

  function next(isOver: boolean): Exchange | undefined {
    const [asked, answered] = [join(sent), join(received)];
    const request = headIn(asked);
    const answer = answerIn(answered);
    if (request === undefined || answer === undefined) return undefined;
    const [, method, target] = REQUEST_LINE.exec(request.line) ?? [];
    const status = Number(answer.line.slice(9, 12));
    if (method === undefined || target === undefined) return lose();
    const isBare = method === 'HEAD' || status === 204 || status === 304;
    const isStrange = method === 'CONNECT' || FRAMING.every((name) => name in request.headers);
    const asking = bodyIn(asked, request, false, isOver);
    const body = isBare
      ? { bytes: Buffer.alloc(0), end: answer.end }
      : bodyIn(answered, answer, true, isOver);
    if (body.end === undefined && !isOver) return undefined;
    const { headers } = request;
    [sent, received] = [[asked.subarray(asking.end)], [answered.subarray(body.end)]];
    if (isStrange || asking.end === undefined || body.end === undefined) lose();
    return {
      method,
      target,
      asked: (name) => headers[name],
      status,
      headers: answer.headers,
      body: body.bytes.toString(),
      isCut: body.end === undefined,
    };
  }

  function lose(): undefined {
    isLost = true;
    [sent, received] = [[], []];
    return undefined;
  }

  return {
    sent(chunk, encoding) {
      sentBytes += chunk.length;
      if (sentBytes > MAX_SENT) lose();
      if (!isLost) sent.push(typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk);
    },
    received(chunk) {
      if (!isLost) received.push(chunk);
    },
    exchanges(isOver) {
      const found: Exchange[] = [];
      while (!isLost) {
        const exchange = next(isOver);
        if (exchange === undefined) break;
        found.push(exchange);
      }
      return found;
    },
  };
}

function join(pieces: Buffer[]): Buffer {
  if (pieces.length !== 1) pieces.splice(0, pieces.length, Buffer.concat(pieces));
  return pieces[0]!;
}

/** Interim answers aside. */
function answerIn(bytes: Buffer, from = 0): Head | undefined {
  const head = headIn(bytes, from);
  return head !== undefined && /^HTTP\/1\.1 1\d\d /.test(head.line) ? answerIn(bytes, head.end) : head;
}

function headIn(bytes: Buffer, from = 0): Head | undefined {
  const end = bytes.indexOf('\r\n\r\n', from);
  if (end < 0) return undefined;
  const [line = '', ...fields] = bytes.toString('latin1', from, end).split('\r\n');
  const headers: Record<string, string> = {};
  for (const field of fields) {
    const colon = field.indexOf(':');
    const name = field.slice(0, colon).toLowerCase();
    const value = field.slice(colon + 1).trim();
    headers[name] = name in headers ? `${headers[name]}, ${value}` : value;
  }
  return { line, headers, end: end + 4 };
}

function bodyIn(bytes: Buffer, { headers, end }: Head, isAnswer: boolean, isOver: boolean): Body {
  const length = headers['content-length'];
  if (/chunked$/i.test(headers['transfer-encoding'] ?? '')) return unchunk(bytes, end);
  if (length !== undefined) {
    const to = end + Number(length);
    return { bytes: bytes.subarray(end, to), end: to <= bytes.length ? to : undefined };
  }
  if (!isAnswer) return { bytes: Buffer.alloc(0), end };
  return { bytes: bytes.subarray(end), end: isOver ? bytes.length : undefined };
}

/** As much as has come. */
function unchunk(bytes: Buffer, from: number): Body {
  const chunks: Buffer[] = [];
  for (let at = from; ; ) {
    const lineEnd = bytes.indexOf('\r\n', at);
    const size = lineEnd < 0 ? Number.NaN : Number.parseInt(bytes.toString('latin1', at, lineEnd), 16);
    const next = lineEnd + 2 + size + 2;
    if (Number.isNaN(size) || bytes.length < next) return { bytes: Buffer.concat(chunks), end: undefined };
    if (size === 0) return { bytes: Buffer.concat(chunks), end: next };
    chunks.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = next;
  }
}
