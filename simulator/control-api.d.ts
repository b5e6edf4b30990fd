import type { Reply } from './chroma-api.ts';
import type { Simulator } from './orders.ts';
/** Where the commands live. */
export declare const CONTROL_PATH = '/_simulator/';
/** Runs one command; `GET count` and `GET count/ID` answer with a bare number for use in a shell. */
export declare function control(simulator: Simulator, method: string, path: string, body: unknown): Reply;
