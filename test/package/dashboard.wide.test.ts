/** The dashboard without a Grafana: its form by Grafana's types, its queries by promtool and by a Prometheus that has data. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dashboard } from '../../scripts/dashboard.ts';
import { type GatewayProcess, startGatewayProcess } from '../../simulator/gateway-process.ts';
import { createSimulator } from '../../simulator/simulator.ts';
import { ask } from '../support/ask.ts';
import { freePort } from '../support/free-port.ts';
import { TOKEN } from '../support/gateway.ts';
import { eventually } from '../support/jobs.ts';
import { hasModels, typeErrors } from '../support/manifests.ts';
import { describeWithPrometheus, type Prometheus, promtool, startPrometheus } from '../support/prometheus.ts';
import { scratchFolder } from '../support/scratch.ts';

const ALERTS = fileURLToPath(new URL('../../deploy/prometheus/alerts.yml', import.meta.url));

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

function filled(expr: string): string {
  return expr
    .replaceAll('$__rate_interval', '5m')
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

describeWithPrometheus('the queries of the dashboard', () => {
  const folder = scratchFolder('csg-dashboard');
  const simulator = createSimulator({ token: TOKEN });
  let gateway: GatewayProcess;
  let prometheus: Prometheus;
  let metricsUrl: string;
  let gatewayUrl: string;

  beforeAll(async () => {
    await simulator.listen();
    const METRICS_PORT = String(await freePort());
    metricsUrl = `http://127.0.0.1:${METRICS_PORT}/metrics`;
    gateway = startGatewayProcess({
      env: { CHROMA_API_KEY: TOKEN, UPSTREAM_URL: simulator.url, PORT: '0', METRICS_PORT },
    });
    const ended = gateway.exited.then(() => Promise.reject(new Error('the gateway ended')));
    gatewayUrl = await Promise.race([gateway.listening, ended]);
    ended.catch(() => {}); // when it is stopped
    prometheus = await startPrometheus(`
global: { scrape_interval: 1s, evaluation_interval: 1s }
rule_files: ['${ALERTS}']
scrape_configs:
  - { job_name: chroma-sync-gateway, static_configs: [{ targets: ['127.0.0.1:${METRICS_PORT}'] }] }
`);
    const scrapes = () => prometheus.values('count_over_time(chroma_sync_gateway_build_info[5m])');
    const after = async (count: number) => {
      const isEnough = ([so]: readonly number[]) => (so ?? 0) >= count;
      if (!isEnough(await eventually(scrapes, 30_000, isEnough)))
        throw new Error('prometheus does not scrape');
    };
    // Between two scrapes each: a job that ended, once more, one that there is not, one that is watched to its end.
    for (let round = 1; round <= 3; round++) {
      await after(round);
      const id = simulator.addJob({ state: 'complete' });
      for (const one of [id, id, crypto.randomUUID()]) await ask(gatewayUrl, one);
      const watched = simulator.addJob({ schedule: { processingAfterMs: 50, finishAfterMs: 100 } });
      await (await fetch(`${gatewayUrl}/api/v1/invocations/events?id=${watched}`)).text();
    }
    await after(5);
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
    const named = [...QUERIES.map(([, expr]) => expr), readFileSync(ALERTS, 'utf8')].flatMap(namesIn);
    expect(new Set(named).size).toBeGreaterThan(25);
    expect(named.filter((name) => !there.has(name))).toEqual([]);
  });

  it.each(QUERIES)('%s (%#) gives a number', async (_title, expr) => {
    const values = await prometheus.values(expr);
    expect(values.filter(Number.isFinite).length, expr).toBeGreaterThan(0);
  });

  it('one that names what there is not would give none', async () => {
    expect(await prometheus.values('rate(chroma_sync_gateway_nothing_total[5m])')).toEqual([]);
  });

  it('no alert fires while all is well; an unknown status and a refused key are seen within a scrape', async () => {
    const seen = (name: string, state: string) => () =>
      prometheus.values(`ALERTS{alertname=~"ChromaSyncGateway${name}",alertstate="${state}"}`);
    expect(await seen('.*', 'firing')()).toEqual([]);
    const isSeen = (values: readonly number[]) => values.length > 0;
    const drifting = simulator.addJob();
    simulator.script(drifting, [{ type: 'patch', patch: { status: { paused: {} } } }]);
    await ask(gatewayUrl, drifting);
    expect(await eventually(seen('ContractDrift', 'firing'), 20_000, isSeen)).toEqual([1]);
    simulator.fault({ type: 'status', status: 401 });
    expect((await ask(gatewayUrl, crypto.randomUUID())).status).toBe(502);
    expect(await eventually(seen('KeyRefused', 'pending'), 20_000, isSeen)).toEqual([1]);
    expect(await seen('BreakerOpen|ChromaSyncGatewayDown', 'pending')()).toEqual([]);
  }, 60_000);
});

/** The metrics that an expression of PromQL names. */
function namesIn(expr: string): string[] {
  return [...expr.matchAll(/\b(?:chroma_sync_gateway|process|nodejs)_\w+/g)].map((match) => match[0]);
}
