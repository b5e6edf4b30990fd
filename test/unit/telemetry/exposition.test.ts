/** The two text formats: names, labels that hold anything, histograms, numbers. */
import { describe, expect, it } from 'vitest';
import { expositionOf, type Family } from '../../../src/telemetry/exposition.ts';
import { createHistogram } from '../../../src/telemetry/histogram.ts';

const counter: Family = {
  name: 'calls_total',
  type: 'counter',
  help: 'Calls.',
  samples: [{ labels: { outcome: 'ok', by: 'us' }, value: 3 }],
};
const gauge = (value: number): Family => ({
  name: 'depth',
  type: 'gauge',
  help: 'Depth.',
  samples: [{ value }],
});

describe('the text format', () => {
  it('has help, type, and a line for each sample', () => {
    expect(expositionOf([counter, gauge(0)], 'text')).toBe(
      '# HELP calls_total Calls.\n# TYPE calls_total counter\ncalls_total{outcome="ok",by="us"} 3\n' +
        '# HELP depth Depth.\n# TYPE depth gauge\ndepth 0\n',
    );
  });

  it('adds buckets up, in seconds, and ends with the one that holds all', () => {
    const took = createHistogram([5, 1_000, 2_500]);
    for (const ms of [0, 5, 6, 1_000, 2_501, 60_000]) took.observe(ms);
    const family: Family = { name: 'took_seconds', type: 'histogram', help: 'x', samples: [{ value: took }] };
    expect(expositionOf([family], 'text').split('\n').slice(2)).toEqual([
      'took_seconds_bucket{le="0.005"} 2',
      'took_seconds_bucket{le="1.0"} 4',
      'took_seconds_bucket{le="2.5"} 4',
      'took_seconds_bucket{le="+Inf"} 6',
      'took_seconds_sum 63.512',
      'took_seconds_count 6',
      '',
    ]);
  });

  it('a histogram’s own labels come before its bounds', () => {
    const samples = [{ labels: { route: '/a' }, value: createHistogram([1]) }];
    const text = expositionOf([{ name: 't', type: 'histogram', help: 'x', samples }], 'text');
    expect(text).toContain(
      't_bucket{route="/a",le="0.001"} 0\nt_bucket{route="/a",le="+Inf"} 0\nt_sum{route="/a"} 0\n',
    );
  });

  it('no label can end its line or its quotes', () => {
    const value = 'a"b\\c\nd\\"';
    const text = expositionOf([{ ...gauge(1), samples: [{ labels: { value }, value: 1 }] }], 'text');
    expect(text.split('\n').at(-2)).toBe(String.raw`depth{value="a\"b\\c\nd\\\""} 1`);
  });

  it.each<[number, string]>([
    [0.25, '0.25'],
    [1e21, '1e+21'],
    [Number.NaN, 'NaN'],
    [Infinity, '+Inf'],
    [-Infinity, '-Inf'],
  ])('writes %d as %s', (value, text) => {
    expect(expositionOf([gauge(value)], 'text')).toMatch(`\ndepth ${text}\n`);
  });
});

describe('OpenMetrics', () => {
  it('ends with # EOF, and names a counter without the end that its samples have', () => {
    expect(expositionOf([counter], 'openmetrics')).toBe(
      '# HELP calls Calls.\n# TYPE calls counter\ncalls_total{outcome="ok",by="us"} 3\n# EOF\n',
    );
  });

  it('has the very series of the text format, so that a change of format loses no history', () => {
    const took = createHistogram([5, 1_000]);
    took.observe(7);
    const families: Family[] = [
      counter,
      gauge(2),
      { name: 'took_seconds', type: 'histogram', help: 'x', samples: [{ value: took }] },
    ];
    const series = (format: 'text' | 'openmetrics') =>
      expositionOf(families, format)
        .split('\n')
        .filter((line) => !line.startsWith('#'));
    expect(series('openmetrics')).toEqual(series('text'));
  });
});

describe('a histogram', () => {
  it('counts a bound into the bucket below it, and time that ran backwards as none', () => {
    const took = createHistogram([5, 10]);
    for (const ms of [-3_600_000, 5, 5.1, 10, 10.1]) took.observe(ms);
    expect([...took.counts]).toEqual([2, 2, 1]);
    expect(took.sumMs).toBeCloseTo(30.2);
  });
});
