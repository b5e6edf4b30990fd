/** The second listener as Prometheus meets it: pages of figures, read and parsed. */

import { freePort } from './free-port.ts';
import { type Env, type NodeGateway, type SidecarOptions, startNode } from './gateway.ts';
import { eventually } from './jobs.ts';

/** A page's figures by name and labels, as they stand there: `watchers`, `events_total{event="end"}`; ours without prefix. */
export type Figures = ReadonlyMap<string, number>;

/** A sidecar with a second listener. */
export interface MeteredGateway extends NodeGateway {
  readonly metricsUrl: string;
  figures(): Promise<Figures>;
  /** Looks again until they hold; fails with the figures when they do not. */
  until(holds: (figures: Figures) => boolean, withinMs?: number): Promise<Figures>;
}

/** @param start `startNode`, or a suite's own that ends what it starts */
export async function startMetered(
  start: (env: Env, options?: SidecarOptions) => Promise<NodeGateway>,
  env: Env = {},
  options?: SidecarOptions,
): Promise<MeteredGateway> {
  const port = await freePort();
  const gateway = await start({ METRICS_PORT: String(port), ...env }, options);
  const metricsUrl = `http://127.0.0.1:${port}`;
  const figures = async () => figuresIn(await page(metricsUrl));
  return {
    ...gateway,
    metricsUrl,
    figures,
    async until(holds, withinMs = 5_000) {
      const last = await eventually(figures, withinMs, holds);
      if (!holds(last)) throw new Error(`not so: ${JSON.stringify(Object.fromEntries(last), null, 1)}`);
      return last;
    },
  };
}

/** The same before an upstream at this URL. */
export function startMeteredBefore(upstreamUrl: string, env: Env = {}): Promise<MeteredGateway> {
  return startMetered((all, options) => startNode(upstreamUrl, all, options), env);
}

/** The text of `/metrics`. */
export async function page(metricsUrl: string, accept = 'text/plain'): Promise<string> {
  const response = await fetch(`${metricsUrl}/metrics`, { headers: { accept } });
  if (response.status !== 200) throw new Error(`/metrics: ${response.status}`);
  return response.text();
}

/** Throws at a line that is none. */
export function figuresIn(text: string): Figures {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => {
      const [, series, value] = /^([a-z][a-z0-9_]*(?:\{.*\})?) (\S+)$/.exec(line) ?? [];
      if (series === undefined) throw new Error(`no figure: ${line}`);
      return [series.replace('chroma_sync_gateway_', ''), Number(value)];
    }),
  );
}

/** Every name on a page, with the type that it says. */
export function typesIn(text: string): Map<string, string> {
  return new Map([...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name!, type!]));
}
