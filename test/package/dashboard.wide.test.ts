/** The dashboard without a Grafana: its form by Grafana's types, its queries by promtool and by a Prometheus that has data. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dashboard } from '../../scripts/dashboard.ts';
import { type GatewayProcess, startGatewayProcess } from '../../simulator/gateway-process.ts';
import { createSimulator } from '../../simulator/simulator.ts';
import { ask } from '../support/ask.ts';
import { freePort } from '../support/free-port.ts';
import { TOKEN } from '../support/gateway.ts';
import { hasModels, typeErrors } from '../support/manifests.ts';
import { describeWithPromtool, type Prometheus, promtool, startPrometheus } from '../support/promtool.ts';
import { scratchFolder } from '../support/scratch.ts';

interface Page {
  readonly panels: readonly {
    readonly title: string;
    readonly targets?: readonly { readonly expr: string }[];
  }[];
}

/** Every query with its panel's title, as Prometheus gets it from a page that shows everything. */
const QUERIES = (dashboard() as Page).panels.flatMap(({ title, targets = [] }) =>
  targets.map(({ expr }) => [title, filled(expr)] as const),
);

/** @param range what a rate looks back on */
function filled(expr: string, range = '5m'): string {
  return expr
    .replaceAll('$__rate_interval', range)
    .replaceAll('$job', 'chroma-sync-gateway')
    .replaceAll('$instance', '.*');
}

describe.skipIf(!hasModels)('the dashboard', () => {
  it('has no key that Grafana does not know', () => {
    const type = ['Dashboard', '@grafana/schema'] as const;
    expect(typeErrors(dashboard(), type)).toBe('');
    expect(typeErrors({ ...dashboard(), panles: [] }, type)).toContain('panles');
  });
});

describeWithPromtool('the queries of the dashboard', () => {
  const folder = scratchFolder('csg-dashboard');
  const simulator = createSimulator({ token: TOKEN });
  let gateway: GatewayProcess;
  let prometheus: Prometheus;
  let metricsUrl: string;

  beforeAll(async () => {
    await simulator.listen();
    const METRICS_PORT = String(await freePort());
    metricsUrl = `http://127.0.0.1:${METRICS_PORT}/metrics`;
    gateway = startGatewayProcess({
      env: { CHROMA_API_KEY: TOKEN, UPSTREAM_URL: simulator.url, PORT: '0', METRICS_PORT },
    });
    const ended = gateway.exited.then(() => Promise.reject(new Error('the gateway ended')));
    const url = await Promise.race([gateway.listening, ended]);
    ended.catch(() => {}); // when it is stopped
    prometheus = await startPrometheus(`
global: { scrape_interval: 1s }
scrape_configs:
  - { job_name: chroma-sync-gateway, static_configs: [{ targets: ['127.0.0.1:${METRICS_PORT}'] }] }
`);
    // A job that is asked for twice, one that there is not, and one that is watched to its end.
    const id = simulator.addJob({ state: 'complete' });
    for (const one of [id, id, crypto.randomUUID()]) await ask(url, one);
    const watched = simulator.addJob({ schedule: { processingAfterMs: 100, finishAfterMs: 1_000 } });
    await (await fetch(`${url}/api/v1/invocations/events?id=${watched}`)).text();
    const scraped = async () => prometheus.series('count_over_time(chroma_sync_gateway_build_info[1m]) >= 3');
    await expect.poll(scraped, { timeout: 30_000, interval: 250 }).toBe(1);
  }, 60_000);
  afterAll(async () => {
    rmSync(folder, { recursive: true });
    await prometheus?.stop();
    await gateway?.stop();
    await simulator.close();
  });

  it('are PromQL', () => {
    const rules = (queries: readonly string[]) =>
      queries.map((expr, at) => `  - { record: 'a:b:${at}', expr: ${JSON.stringify(expr)} }`);
    const check = (queries: readonly string[]) => {
      const file = join(folder, 'rules.yml');
      writeFileSync(file, ['groups:', '- name: dashboard', '  rules:', ...rules(queries), ''].join('\n'));
      return promtool('check', 'rules', file);
    };
    const all = QUERIES.map(([, expr]) => expr);
    expect(check(all).printed).toContain(`${all.length} rules found`);
    expect(check([...all, 'sum(']).isFine).toBe(false);
  });

  it('name metrics that there are, and so do the alerts', async () => {
    const text = await (await fetch(metricsUrl)).text();
    const there = new Set([...text.matchAll(/^(\w+)[ {]/gm)].map((match) => match[1]!));
    const alerts = readFileSync(new URL('../../deploy/prometheus/alerts.yml', import.meta.url), 'utf8');
    const named = [...QUERIES.map(([, expr]) => expr), alerts].flatMap(namesIn);
    expect(new Set(named).size).toBeGreaterThan(25);
    expect(named.filter((name) => !there.has(name))).toEqual([]);
  });

  it.each(QUERIES)('%s: %s gives a series', async (_title, expr) => {
    expect(await prometheus.series(filled(expr, '10s'))).toBeGreaterThan(0);
  });

  it('one that names what there is not would give none', async () => {
    expect(await prometheus.series('rate(chroma_sync_gateway_nothing_total[5m])')).toBe(0);
  });
});

/** The metrics that an expression of PromQL names. */
function namesIn(expr: string): string[] {
  return [...expr.matchAll(/\b(?:chroma_sync_gateway|process|nodejs)_\w+/g)].map((match) => match[0]);
}
