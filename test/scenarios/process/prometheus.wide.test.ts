/** #198 a real Prometheus reads what the second listener has, in both formats, and promtool finds nothing to say of it. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ask, newId } from '../../support/ask.ts';
import { type MeteredGateway, page, startMetered, typesIn } from '../../support/metrics.ts';
import { describeWithPrometheus, lintOf, type Prometheus, startScraping } from '../../support/prometheus.ts';
import { useSidecars } from '../../support/simulated-rig.ts';

const { simulator, start } = useSidecars(afterAll);

/** Between a Prometheus, which asks for OpenMetrics and plain text, and the listener: asks for what it is told. */
async function startBetween(metricsUrl: string, accept?: string) {
  const given = new Set<string | null>();
  const server = createServer((incoming, outgoing) => {
    const headers = { accept: accept ?? incoming.headers.accept ?? '' };
    void fetch(`${metricsUrl}${incoming.url}`, { headers }).then(async (response) => {
      const type = response.headers.get('content-type');
      given.add(type);
      outgoing.writeHead(response.status, { 'Content-Type': type ?? '' }).end(await response.text());
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    given,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

describeWithPrometheus('#198 a real Prometheus', () => {
  const FORMATS = ['openmetrics', 'text'] as const;
  let gateway: MeteredGateway;
  let between: Record<(typeof FORMATS)[number], Awaited<ReturnType<typeof startBetween>>>;
  let readers: Record<(typeof FORMATS)[number], Prometheus>;

  beforeAll(async () => {
    gateway = await startMetered(start, { CACHE_IN_FLIGHT_TTL_MS: '50' });
    const [job, failed] = [
      simulator.addJob({ state: 'complete', kind: 's3' }),
      simulator.addJob({ state: 'failed' }),
    ];
    for (const id of [job, job, job, failed, newId(), 'no-uuid']) await ask(gateway.url, id);
    between = {
      openmetrics: await startBetween(gateway.metricsUrl),
      text: await startBetween(gateway.metricsUrl, 'text/plain;version=0.0.4'),
    };
    const [openmetrics, text] = await Promise.all(
      FORMATS.map((format) => startScraping(between[format].url)),
    );
    readers = { openmetrics: openmetrics!, text: text! };
  });
  afterAll(async () => {
    await Promise.all(Object.values(readers ?? {}).map((reader) => reader.stop()));
    for (const one of Object.values(between ?? {})) one.close();
  });

  it('is given the format that it asks for', () => {
    expect([...between.openmetrics.given]).toEqual([
      'application/openmetrics-text; version=1.0.0; charset=utf-8',
    ]);
    expect([...between.text.given]).toEqual(['text/plain; version=0.0.4; charset=utf-8']);
  });

  it.each(FORMATS)('takes all of %s: every name, and the values of traffic that is known', async (format) => {
    const { query, target } = readers[format];
    expect(await target()).toEqual({ health: 'up', lastError: '' });
    const names = await query('count by (__name__) ({__name__=~"(chroma_sync_gateway|process|nodejs)_.+"})');
    const expected = [...typesIn(await page(gateway.metricsUrl))].flatMap(([name, type]) =>
      type === 'histogram' ? [`${name}_bucket`, `${name}_count`, `${name}_sum`] : [name],
    );
    expect(names.map(({ metric }) => metric.__name__).sort()).toEqual(expected.sort());

    const numberOf = async (expression: string) => Number((await query(expression))[0]?.value[1]);
    expect(await numberOf('sum(chroma_sync_gateway_lookups_total)')).toBe(5);
    expect(await numberOf('chroma_sync_gateway_lookups_total{outcome="hit"}')).toBe(2);
    expect(await numberOf('sum(chroma_sync_gateway_requests_total)')).toBe(6);
    expect(await numberOf('chroma_sync_gateway_errors_total{code="invalid_id"}')).toBe(1);
    expect(await numberOf('chroma_sync_gateway_settled_total{state="failed"}')).toBe(1);
    const jobs = 'chroma_sync_gateway_job_duration_seconds';
    expect(await numberOf(`${jobs}_sum{source="s3"} / ${jobs}_count`)).toBe(18);
    // 18 s fell between 15 and 60.
    const quantile = await numberOf(`histogram_quantile(0.99, ${jobs}_bucket{source="s3"})`);
    expect(quantile).toBeGreaterThan(15);
    expect(quantile).toBeLessThanOrEqual(60);
  });

  it('has the very same series from both, so that a change of format loses none', async () => {
    const seriesOf = async (format: (typeof FORMATS)[number]) => {
      const all = await readers[format].query('{__name__=~"(chroma_sync_gateway|process|nodejs)_.+"}');
      return all.map(({ metric }) => JSON.stringify({ ...metric, instance: undefined })).sort();
    };
    expect(await seriesOf('openmetrics')).toEqual(await seriesOf('text'));
  });

  it('goes on scraping: what happens later is a rate', async () => {
    for (let i = 0; i < 20; i++) await ask(gateway.url, newId());
    const rateOf = async () => {
      const found = await readers.openmetrics.query(
        'increase(chroma_sync_gateway_errors_total{code="not_found"}[1m])',
      );
      return Number(found[0]?.value[1] ?? 0);
    };
    await expect.poll(rateOf, { timeout: 15_000, interval: 500 }).toBeGreaterThan(15);
  });

  it('promtool finds nothing to say of our names, and would of a bad one', async () => {
    const text = await page(gateway.metricsUrl);
    expect(lintOf(text)).toBe('');
    expect(lintOf(text.replaceAll('_duration_seconds', '_duration_ms'))).toContain('duration_ms');
    expect(lintOf(text.replaceAll('lookups_total', 'lookups'))).toContain('_total');
  });
});
