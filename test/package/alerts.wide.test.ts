/** The alert rules with Debian's promtool: their own tests, and that those tests would notice. */
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { describeWithPrometheus, promtool } from '../support/prometheus.ts';
import { scratchFolder } from '../support/scratch.ts';

const FOLDER = fileURLToPath(new URL('../../deploy/prometheus', import.meta.url));
const RULES = readFileSync(join(FOLDER, 'alerts.yml'), 'utf8');
const NAMES = [...RULES.matchAll(/alert: (\w+)/g)].map((match) => match[1]!);

/** In the text of a rule: what it looks for, and how long it waits. */
const EXPRESSION = /expr: (?:\|\n(?: {10}.*\n)+|.*\n)/;
const PATIENCE = / {8}for: .*\n/;

/** The text of one rule. */
const ruleOf = (name: string) => RULES.split('- alert: ').find((text) => text.startsWith(`${name}\n`))!;

describeWithPrometheus('the alerts', () => {
  const folder = scratchFolder('csg-alerts');
  cpSync(FOLDER, folder, { recursive: true });
  afterAll(() => rmSync(folder, { recursive: true }));

  /** Their tests with other rules. */
  function tested(rules: string) {
    writeFileSync(join(folder, 'alerts.yml'), rules);
    return promtool('test', 'rules', join(folder, 'alerts.test.yml'));
  }

  it('are rules that Prometheus takes', () => {
    const { isFine, printed } = promtool('check', 'rules', join(FOLDER, 'alerts.yml'));
    expect([isFine, printed]).toEqual([true, expect.stringContaining(`${NAMES.length} rules found`)]);
    expect(NAMES.length).toBeGreaterThan(8);
  });

  it('fire when they should, with the words that they should have, and else are silent', () => {
    const { isFine, printed } = tested(RULES);
    expect(isFine, printed).toBe(true);
  });

  it.each([
    ['always fired', EXPRESSION, 'expr: vector(1)\n', NAMES],
    ['never fired', EXPRESSION, 'expr: vector(1) > 1\n', NAMES],
    ['fired at once', PATIENCE, '', NAMES.filter((name) => PATIENCE.test(ruleOf(name)))],
  ])('would be noticed, each of them, if they %s', (_what, pattern, by, names) => {
    const { isFine, printed } = tested(RULES.replaceAll(new RegExp(pattern, 'g'), by));
    expect(isFine).toBe(false);
    expect(names.filter((name) => !printed.includes(`alertname: ${name},`))).toEqual([]);
  });

  it('the job that the page on operations shows for Kubernetes is one that Prometheus takes', () => {
    const page = readFileSync(join(FOLDER, '../../docs/operations.md'), 'utf8');
    const [, job = ''] = /```yaml\n(scrape_configs:\n[\s\S]*?)```/.exec(page) ?? [];
    const file = join(folder, 'kubernetes.yml');
    // Debian's Prometheus is built without this one way to find targets.
    writeFileSync(file, job.replace('kubernetes_sd_configs: [{ role: pod }]', 'static_configs: []'));
    const { isFine, printed } = promtool('check', 'config', file);
    expect([isFine, printed]).toEqual([true, expect.stringContaining('SUCCESS')]);
    expect(job).toContain('job_name: chroma-sync-gateway\n    kubernetes_sd_configs: [{ role: pod }]\n');
  });
});
