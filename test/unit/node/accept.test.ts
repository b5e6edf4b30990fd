/** Which of the two formats of figures a caller gets. */
import { expect, it } from 'vitest';
import { formatOf } from '../../../src/node/accept.ts';

it.each([
  // Prometheus 2 and 3.
  'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1',
  'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1',
  'application/openmetrics-text',
  'Application/OpenMetrics-Text; Version="1.0.0"; q=1',
  'text/html, application/openmetrics-text;q=0.1',
])('%s: OpenMetrics', (accept) => {
  expect(formatOf(accept)).toBe('openmetrics');
});

it.each([
  undefined,
  '',
  '*/*',
  'text/plain;version=0.0.4',
  'text/html,application/xhtml+xml,*/*;q=0.8',
  'application/openmetrics-text;version=0.0.1',
  'application/openmetrics-text;version=2.0.0',
  'application/openmetrics-text;q=0',
  'application/openmetrics-text;q=nonsense',
  'application/openmetrics-text;q=0.4, text/plain;q=0.5',
  'x-application/openmetrics-text',
  ';;;,,,=,q=',
])('%s: plain text', (accept) => {
  expect(formatOf(accept)).toBe('text');
});
