/**
 * `node scripts/dashboard.ts`: writes `deploy/grafana/dashboard.json` from the list of panels below. A test fails when that
 * would change anything. The form is Grafana's own (schema version 39, which Grafana 10.4 and newer read).
 */
import { writeFileSync } from 'node:fs';

/** Queries by what their line is called; `{{label}}` in a name is Grafana's. */
type Queries = Readonly<Record<string, string>>;

/** One panel: numbers in a row (`stat`) or lines over time. */
interface Panel {
  readonly title: string;
  readonly unit: string;
  readonly queries: Queries;
  readonly kind?: 'stat';
  readonly about?: string;
}

/** Between the two variables at the top of the page and a query's own labels. */
const of = (labels = '') => `{job=~"$job",instance=~"$instance"${labels === '' ? '' : `,${labels}`}}`;
const own = (name: string) => `chroma_sync_gateway_${name}`;
const perSecond = (name: string, labels?: string) => `rate(${name}${of(labels)}[$__rate_interval])`;
const rateBy = (label: string, name: string) => `sum by (${label}) (${perSecond(own(name))})`;
const rateOf = (name: string, labels?: string) => `sum(${perSecond(own(name), labels)})`;
const sumOf = (name: string, labels?: string) => `sum(${own(name)}${of(labels)})`;
const perInstance = (name: string) => ({ '{{instance}}': `${name}${of()}` });

/** 0.5, 0.95 and 0.99 of a histogram, all processes together. @param by a label that gets lines of its own */
function quantiles(name: string, by?: string): Queries {
  const rates = `sum by (le${by === undefined ? '' : `, ${by}`}) (${perSecond(own(`${name}_bucket`))})`;
  const shown = by === undefined ? '' : ` {{${by}}}`;
  return Object.fromEntries(
    [50, 95, 99].map((p) => [`p${p}${shown}`, `histogram_quantile(${p / 100}, ${rates})`]),
  );
}

const ASKED = `(${rateOf('lookups_total')} + ${rateOf('events_total', 'event="invocation"')})`;
const SERVED = rateOf('lookups_total', 'outcome=~"hit|stale"');

/** Headings, and what stands under each, three or four panels in a line, or six numbers. */
const SECTIONS: Readonly<Record<string, readonly Panel[]>> = {
  'At a glance': [
    { kind: 'stat', title: 'Requests', unit: 'reqps', queries: { all: rateOf('requests_total') } },
    {
      kind: 'stat',
      title: 'Hit ratio',
      unit: 'percentunit',
      about: 'Lookups that were answered from what the gateway holds.',
      queries: { hits: `${SERVED} / ${rateOf('lookups_total')}` },
    },
    {
      kind: 'stat',
      title: 'Calls to Chroma saved',
      unit: 'percentunit',
      about: 'Of the answers and stream events that callers got, those that cost no call of their own.',
      queries: { saved: `clamp_min(1 - ${rateOf('upstream_calls_total')} / ${ASKED}, 0)` },
    },
    {
      kind: 'stat',
      title: 'Server errors',
      unit: 'percentunit',
      // There is no such series before the first one.
      queries: {
        '5xx': `(${rateOf('requests_total', 'status=~"5.."')} or vector(0)) / ${rateOf('requests_total')}`,
      },
    },
    { kind: 'stat', title: 'Watchers', unit: 'short', queries: { held: sumOf('watchers') } },
    {
      kind: 'stat',
      title: 'Gateways',
      unit: 'short',
      queries: { '{{version}}': `count by (version) (${own('build_info')}${of()})` },
    },
  ],
  Traffic: [
    {
      title: 'Requests by route',
      unit: 'reqps',
      queries: { '{{route}}': rateBy('route', 'requests_total') },
    },
    {
      title: 'Lookups by outcome',
      unit: 'reqps',
      queries: { '{{outcome}}': rateBy('outcome', 'lookups_total') },
    },
    {
      title: 'Asked of us, asked of Chroma',
      unit: 'reqps',
      about: 'The space between the two is what the gateway saves.',
      queries: { 'answers and events': ASKED, 'calls to Chroma': rateOf('upstream_calls_total') },
    },
    {
      title: 'Latency of answers',
      unit: 's',
      about: 'Without streams and without lookups that wait.',
      queries: quantiles('request_duration_seconds'),
    },
    { title: 'Errors by code', unit: 'reqps', queries: { '{{code}}': rateBy('code', 'errors_total') } },
    {
      title: 'Answers by status',
      unit: 'reqps',
      queries: { '{{status}}': rateBy('status', 'requests_total') },
    },
  ],
  'Chroma Sync': [
    {
      title: 'Calls by outcome',
      unit: 'reqps',
      queries: { '{{outcome}}': rateBy('outcome', 'upstream_calls_total') },
    },
    { title: 'Latency of calls', unit: 's', queries: quantiles('upstream_call_duration_seconds') },
    {
      title: 'Under way, queue, breaker',
      unit: 'short',
      queries: {
        'under way': sumOf('upstream_in_flight'),
        'wait for a slot': sumOf('upstream_queue'),
        'breaker open: {{for}}': `sum by (for) (${own('breaker_open')}${of()})`,
      },
    },
  ],
  'Jobs and watchers': [
    {
      title: 'Jobs that ended, by state',
      unit: 'ops',
      queries: { '{{state}}': rateBy('state', 'settled_total') },
    },
    { title: 'How long jobs took', unit: 's', queries: quantiles('job_duration_seconds', 'source') },
    {
      title: 'Watchers and watched jobs',
      unit: 'short',
      queries: { watchers: sumOf('watchers'), jobs: sumOf('watched_invocations') },
    },
    { title: 'Stream events', unit: 'ops', queries: { '{{event}}': rateBy('event', 'events_total') } },
  ],
  Stores: [
    {
      title: 'Tiers that work',
      unit: 'short',
      queries: { '{{tier}} {{instance}}': `${own('store_up')}${of()}` },
    },
    { title: 'Memory tier', unit: 'bytes', queries: perInstance(own('cache_bytes')) },
    { title: 'Entries in memory', unit: 'short', queries: perInstance(own('cache_entries')) },
    { title: 'Evicted', unit: 'ops', queries: { all: rateOf('cache_evictions_total') } },
  ],
  Process: [
    {
      title: 'CPU',
      unit: 'percentunit',
      queries: { '{{instance}}': perSecond('process_cpu_seconds_total') },
    },
    { title: 'Memory', unit: 'bytes', queries: perInstance('process_resident_memory_bytes') },
    { title: 'Event loop, p99', unit: 's', queries: perInstance('nodejs_eventloop_lag_p99_seconds') },
    {
      title: 'Time in collections',
      unit: 'percentunit',
      queries: { '{{instance}}': `sum by (instance) (${perSecond('nodejs_gc_duration_seconds_sum')})` },
    },
    { title: 'File descriptors', unit: 'short', queries: perInstance('process_open_fds') },
    {
      title: 'Log lines dropped, contract drift',
      unit: 'short',
      queries: {
        dropped: `sum(increase(${own('log_lines_dropped_total')}${of()}[1h]))`,
        drift: `sum(increase(${own('contract_drift_total')}${of()}[1h]))`,
      },
    },
  ],
};

const SOURCE = { type: 'prometheus', uid: '$source' };
const WIDTH = 24;

function panelOf({ title, unit, queries, kind, about }: Panel, gridPos: object): object {
  const lines = Object.entries(queries).map(([legendFormat, expr], at) => ({
    refId: String.fromCharCode(65 + at),
    expr,
    legendFormat,
  }));
  const description = about === undefined ? {} : { description: about };
  const common = { title, ...description, gridPos, datasource: SOURCE, targets: lines };
  if (kind === 'stat') return { type: 'stat', ...common, fieldConfig: { defaults: { unit }, overrides: [] } };
  return {
    type: 'timeseries',
    ...common,
    fieldConfig: { defaults: { unit, min: 0, custom: { fillOpacity: 10 } }, overrides: [] },
    options: { tooltip: { mode: 'multi', sort: 'desc' } },
  };
}

/** All panels, top to bottom. */
function panels(): object[] {
  let y = 0;
  return Object.entries(SECTIONS).flatMap(([title, inIt]) => {
    const heading = {
      type: 'row',
      title,
      collapsed: false,
      gridPos: { x: 0, y: y++, w: WIDTH, h: 1 },
      panels: [],
    };
    const isStat = inIt[0]!.kind === 'stat';
    const perLine = isStat ? 6 : inIt.length === 4 ? 4 : 3;
    const [w, h] = [WIDTH / perLine, isStat ? 4 : 8];
    const placed = inIt.map((panel, at) =>
      panelOf(panel, { x: (at % perLine) * w, y: y + Math.floor(at / perLine) * h, w, h }),
    );
    y += Math.ceil(inIt.length / perLine) * h;
    return [heading, ...placed];
  });
}

/** A variable of the page that takes its values from a label. */
function labelVariable(name: string, within: string): object {
  const query = `label_values(${own('build_info')}${within}, ${name})`;
  const all = { multi: true, includeAll: true, allValue: '.*', current: { text: 'All', value: '$__all' } };
  return { type: 'query', name, datasource: SOURCE, query, refresh: 2, sort: 1, ...all };
}

/** The page as Grafana imports it. */
export function dashboard(): object {
  return {
    title: 'Chroma Sync gateway',
    uid: 'chroma-sync-gateway',
    tags: ['chroma-sync-gateway'],
    schemaVersion: 39,
    editable: true,
    refresh: '30s',
    time: { from: 'now-3h', to: 'now' },
    templating: {
      list: [
        { type: 'datasource', name: 'source', label: 'Prometheus', query: 'prometheus' },
        labelVariable('job', ''),
        labelVariable('instance', '{job=~"$job"}'),
      ],
    },
    panels: panels(),
  };
}

/** `dashboard.json`, with its line end. */
export const dashboardText = () => `${JSON.stringify(dashboard(), null, 1)}\n`;

if (import.meta.main)
  writeFileSync(new URL('../deploy/grafana/dashboard.json', import.meta.url), dashboardText());
