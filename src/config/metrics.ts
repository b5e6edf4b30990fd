/** `METRICS_PORT` and `METRICS_HOST`: where the second listener is, if there is one (contract §3, §14). */
import { bareHost } from './bare-host.ts';
import type { Environment } from './environment.ts';

export interface MetricsConfig {
  /** As `listen` takes it: an IPv6 address without brackets. */
  readonly host: string;
  readonly port: number;
}

/** What Kubernetes injects for a service that is named `metrics`. */
const INJECTED = /^(tcp|udp):\/\//;

/**
 * `undefined`: there is none, on Workers never.
 * @param mainPort what `PORT` says
 */
export function parseMetrics(environment: Environment, mainPort: number): MetricsConfig | undefined {
  const { textOrDefault, wholeIfSet, bad, runtime } = environment;
  if (runtime !== 'node' || isInjected(environment)) return undefined;
  const port = wholeIfSet('METRICS_PORT');
  if (port === undefined) return undefined;
  if (port === mainPort) bad('METRICS_PORT', 'must be another port than PORT');
  return { host: bareHost(textOrDefault('METRICS_HOST')), port };
}

/** Fixed text that names variables. */
export function metricsWarnings(environment: Environment): readonly string[] {
  if (!isInjected(environment)) return [];
  return [
    'METRICS_PORT holds what Kubernetes injects for a service named metrics, so it counts as unset: set it to a ' +
      'number, or set enableServiceLinks to false',
  ];
}

function isInjected({ text }: Environment): boolean {
  return INJECTED.test(text('METRICS_PORT') ?? '');
}
