/** A probe that is never heard of again, as when workerd drops the request that made it (#135). */
import { expect, it } from 'vitest';
import { createBreaker } from '../../src/upstream/breaker.ts';

it('a lost probe keeps the breaker half-open until it must have ended, not for ever', async () => {
  let now = 0;
  const breaker = createBreaker({ now: () => now, lostAfterMs: 9_000 });
  const fail = () => breaker.run(async () => ({ news: 'bad' as const }));
  for (let i = 0; i < 20; i++) await fail();
  expect(breaker.state()).toBe('open');
  now = 5_000;
  breaker.refuse();
  void breaker.run(() => new Promise<{ news: 'good' }>(() => {}));
  now += 9_000;
  expect(() => breaker.refuse()).toThrow('breaker_open');
  now += 1;
  breaker.refuse();
  await breaker.run(async () => ({ news: 'good' as const }));
  expect(breaker.state()).toBe('closed');
});
