/** What an operator looks at (contract §14): each alert has its paragraph of the runbook, the dashboard is what its list says. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { dashboardText } from '../../scripts/dashboard.ts';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

describe('an alert', () => {
  const page = read('docs/operations.md');
  const runbook = page.slice(page.indexOf('## Alerts and runbook\n'), page.indexOf('## Dashboard\n'));
  const paragraphs = new Map(
    runbook
      .split(/^### /m)
      .slice(1)
      .map((text) => [text.slice(0, text.indexOf('\n')), text] as const),
  );
  /** The text of each rule. */
  const alerts = new Map(
    read('deploy/prometheus/alerts.yml')
      .split('- alert: ')
      .slice(1)
      .map((text) => [text.slice(0, text.indexOf('\n')), text] as const),
  );

  it('has a paragraph of the runbook, and each paragraph an alert, in the same order', () => {
    expect(alerts.size).toBeGreaterThan(8);
    expect([...paragraphs.keys()]).toEqual([...alerts.keys()]);
  });

  it.each([...alerts])('%s says how bad it is, what happened and where to read on', (name, rule) => {
    expect(rule).toMatch(/labels: \{ severity: (critical|warning) \}\n/);
    expect(rule).toMatch(/ summary: \S/);
    expect(/ runbook: (.*)$/m.exec(rule)?.[1]).toBe(`docs/operations.md#${name.toLowerCase()}`);
  });

  it.each([...paragraphs])('%s: what it means, what to look at, what to do', (_name, text) => {
    const items = [...text.matchAll(/^- \*\*([\w ]+)\*\*: \S/gm)].map((match) => match[1]);
    expect(items).toEqual(['Means', 'Look at', 'Do']);
  });

  it('is shown firing and silent by its own tests', () => {
    const cases = read('deploy/prometheus/alerts.test.yml').split('alertname: ').slice(1);
    const named = (isSilent: boolean) =>
      new Set(
        cases
          .filter((text) => /^\w+\n *exp_alerts: \[\]/.test(text) === isSilent)
          .map((text) => text.slice(0, text.indexOf('\n'))),
      );
    expect(named(true)).toEqual(new Set(alerts.keys()));
    expect(named(false)).toEqual(new Set(alerts.keys()));
  });

  it('names panels that the dashboard has', () => {
    const titles = [...dashboardText().matchAll(/"title": "(.*)"/g)].map((match) => match[1]);
    const named = [...runbook.matchAll(/(?<!\*)\*([A-Z][^*\n]+)\*(?!\*)/g)].map((match) => match[1]);
    expect(named.length).toBeGreaterThan(5);
    expect(named.filter((title) => !titles.includes(title))).toEqual([]);
  });
});

it('the dashboard is what scripts/dashboard.ts writes', () => {
  expect(read('deploy/grafana/dashboard.json')).toBe(dashboardText());
});
