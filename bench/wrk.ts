/** wrk: one thread, 32 kept-alive connections, on the load's core. */
import { run } from './processes.ts';

export interface WrkOptions {
  readonly url: string;
  readonly seconds: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** A Lua script and its argument. */
  readonly script?: readonly [path: string, argument: string];
}

export interface WrkResult {
  readonly perSecond: number;
  readonly requests: number;
}

/** Rejects when a single answer was not a 2xx or 3xx, or a socket failed: such a figure is no figure. */
export async function wrk({ url, seconds, headers = {}, script }: WrkOptions): Promise<WrkResult> {
  const args = ['-t1', '-c32', `-d${seconds}s`, '--timeout', '10s'];
  for (const [name, value] of Object.entries(headers)) args.push('-H', `${name}: ${value}`);
  if (script) args.push('-s', script[0]);
  args.push(url);
  if (script) args.push('--', script[1]);
  const printed = await run('wrk', args, { core: 'load', withinMs: (seconds + 15) * 1_000 });
  const trouble = /Non-2xx.*|Socket errors.*/.exec(printed);
  if (trouble) throw new Error(`${url}: ${trouble[0].trim()}`);
  const perSecond = /Requests\/sec:\s+([\d.]+)/.exec(printed)?.[1];
  const requests = /(\d+) requests in/.exec(printed)?.[1];
  if (perSecond === undefined || requests === undefined) throw new Error(printed);
  return { perSecond: Number(perSecond), requests: Number(requests) };
}
