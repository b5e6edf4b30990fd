/**
 * Puts one reply or one fault on a socket, exactly as ordered. Decides nothing.
 */
import type { ServerResponse } from 'node:http';
import { type Reply } from './chroma-api.ts';
import type { ParsedStep } from './script.ts';
/** A step that answers by itself; the others need a job. */
export type Fault = Exclude<
  ParsedStep,
  {
    type: 'normal' | 'state' | 'patch';
  }
>;
/** Sends a reply; nothing but what Chroma sends: no ETag, no caching headers. */
export declare function send(response: ServerResponse, reply: Reply): void;
/** Plays a fault. A hang is left open until the caller goes away or the simulator closes. */
export declare function play(response: ServerResponse, fault: Fault): Promise<void>;
