/**
 * As much of the compared packages' types as the bench uses. Their own are installed only by
 * `npm install --prefix bench`, and the types must be right without it.
 */
declare module 'fastify' {
  interface Request {
    readonly params: unknown;
    readonly headers: Readonly<Record<string, string | undefined>>;
  }
  interface Reply {
    headers(values: Readonly<Record<string, string>>): Reply;
    code(status: number): Reply;
    send(body?: string): Reply;
  }
  interface App {
    get(path: string, handler: (request: Request, reply: Reply) => Promise<Reply>): void;
    listen(options: { port: number; host: string }): Promise<string>;
  }
  export default function fastify(options: { logger: boolean; keepAliveTimeout: number }): App;
}

declare module 'express' {
  interface App {
    use(middleware: unknown): void;
    listen(port: number, host: string): void;
  }
  export default function express(): App;
}

declare module 'apicache' {
  const apicache: { middleware(duration: string): unknown };
  export default apicache;
}

declare module 'http-proxy-middleware' {
  export function createProxyMiddleware(options: { target: string; changeOrigin: boolean }): unknown;
}
