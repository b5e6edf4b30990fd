import { type Jobs } from './jobs.ts';
/** `body` is undefined for an empty one. */
export interface Reply {
  status: number;
  headers?: Record<string, string>;
  body?: unknown;
}
/** `body` is the parsed JSON, undefined when there was none or it was not JSON. */
export interface Ask {
  method: string;
  path: string;
  query: URLSearchParams;
  body: unknown;
}
/** Chroma's error shape. Its servers name few codes and call the other 4xx plain `ChromaError`. */
export declare function chromaError(status: number, message?: string): Reply;
/** The honest reply. An id that is no UUID is a 400; unknown paths and methods have empty bodies, as axum's do. */
export declare function answer(jobs: Jobs, ask: Ask): Reply;
