/**
 * Figures as Prometheus reads them: its text format 0.0.4, and OpenMetrics 1.0.0. Both have the same series, so that
 * who changes from one to the other loses no history. Knows no figure of ours, no HTTP and no runtime.
 */
import type { Histogram } from './histogram.ts';

export type Labels = Readonly<Record<string, string>>;

/** One figure under its labels. */
export interface Sample {
  readonly labels?: Labels;
  readonly value: number | Histogram;
}

/** All figures of one name. */
export interface Family {
  /** In base units; a counter's ends in `_total`. */
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** One sentence. */
  readonly help: string;
  readonly samples: readonly Sample[];
}

export type Format = 'text' | 'openmetrics';

/** https://prometheus.io/docs/instrumenting/exposition_formats/ */
export const CONTENT_TYPES: Readonly<Record<Format, string>> = {
  text: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
};

export function expositionOf(families: readonly Family[], format: Format): string {
  const text = families.map((family) => familyText(family, format)).join('');
  return format === 'openmetrics' ? `${text}# EOF\n` : text;
}

function familyText({ name, type, help, samples }: Family, format: Format): string {
  // OpenMetrics names a counter without its end, which its samples have.
  const family = format === 'openmetrics' && type === 'counter' ? name.replace(/_total$/, '') : name;
  const head = `# HELP ${family} ${escapedHelp(help)}\n# TYPE ${family} ${type}\n`;
  return head + samples.map((sample) => sampleText(name, sample)).join('');
}

function sampleText(name: string, { labels = {}, value }: Sample): string {
  return typeof value === 'number' ? line(name, labels, value) : histogramText(name, labels, value);
}

function histogramText(name: string, labels: Labels, { boundsMs, counts, sumMs }: Histogram): string {
  let total = 0;
  const buckets = counts.map((count, index) => {
    total += count;
    return line(`${name}_bucket`, { ...labels, le: boundText(boundsMs[index]) }, total);
  });
  // To the microsecond: a sum of fractions has an endless tail.
  const sum = Math.round(sumMs * 1_000) / 1e6;
  return `${buckets.join('')}${line(`${name}_sum`, labels, sum)}${line(`${name}_count`, labels, total)}`;
}

/** Seconds, a whole number with its point in both formats: it is part of a series' name. */
function boundText(ms: number | undefined): string {
  if (ms === undefined) return '+Inf';
  return ms % 1_000 === 0 ? `${ms / 1_000}.0` : String(ms / 1_000);
}

function line(name: string, labels: Labels, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapedLabel(text)}"`);
  return `${name}${pairs.length > 0 ? `{${pairs.join(',')}}` : ''} ${numberText(value)}\n`;
}

function numberText(value: number): string {
  return Math.abs(value) === Infinity ? `${value > 0 ? '+' : '-'}Inf` : String(value);
}

function escapedLabel(text: string): string {
  return escapedHelp(text).replaceAll('"', '\\"');
}

function escapedHelp(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}
