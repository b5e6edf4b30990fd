/** What an upstream does on a bad day, one thing at a time. */
import type { Simulator } from '../simulator/simulator.ts';

const STEPS = [
  { type: 'status', status: 500 },
  { type: 'status', status: 503 },
  { type: 'status', status: 429, headers: { 'retry-after': '1' } },
  { type: 'reset' },
  { type: 'hang' },
  { type: 'redirect', location: 'http://127.0.0.1:1/' },
  { type: 'raw', body: '<html>' },
  { type: 'wire', bytes: 'HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{"id":', afterwards: 'reset' },
  { type: 'wire', bytes: 'nonsense\r\n\r\n' },
] as const;
/** Besides, where a job that is there may be said to be missing. */
const NOT_FOUND = { type: 'status', status: 404 } as const;

/** The next requests, 60 at most, meet a fault drawn anew, or all of them a latency. */
export function misbehave(simulator: Simulator, mayHide = false): void {
  const { random, floor } = Math;
  const steps = mayHide ? [...STEPS, NOT_FOUND] : STEPS;
  const step = steps[floor(random() * (steps.length + 3))];
  simulator.heal();
  if (step) simulator.fault(step, { times: 1 + floor(random() * 60) });
  else simulator.latency(random() * 300);
}
