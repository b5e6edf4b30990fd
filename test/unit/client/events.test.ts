/** What a stream may say that is none of the gateway's words (contract §13, #189). */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { answering, holdClock, jobText, pass } from '../../support/client-rig.ts';
import { newId } from '../../support/jobs.ts';

beforeEach(() => {
  holdClock();
  // It warns once in its life.
  vi.resetModules();
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

async function freshRig() {
  const { createClientRig } = await import('../../support/client-rig.ts');
  const warnings = vi.spyOn(console, 'warn').mockImplementation(() => {});
  const rig = createClientRig({ onCall: answering() });
  const a = rig.show();
  await pass(2_000);
  return { rig, a, stream: rig.streams()[0]!, live: a.snapshot(), warnings };
}

describe('an event that is no job', () => {
  it.each<[string, (id: string) => unknown]>([
    ['no JSON', () => 'oh no'],
    ['half of a job', (id) => jobText(id).slice(0, 40)],
    ['a list', () => []],
    ['null', () => 'null'],
    ['a job without a status', (id) => ({ id })],
  ])('is ignored and warned of once: %s (#189)', async (_, dataOf) => {
    const { rig, a, stream, live, warnings } = await freshRig();
    for (let n = 0; n < 5; n++) stream.event('invocation', dataOf(a.id));
    await pass(1_000);
    expect(a.snapshot()).toBe(live);
    expect(warnings).toHaveBeenCalledTimes(1);
    expect(warnings.mock.calls[0]!.join(' ')).toMatch(/^chroma-sync-gateway: /);
    stream.event('invocation', jobText(a.id, { failed: { error: 'gone' } }));
    await pass(0);
    expect(a.snapshot().phase).toBe('settled');
    expect(rig.calls).toHaveLength(1);
  });

  it('does not fill the console: at most 200 characters of it are shown', async () => {
    const { stream, warnings } = await freshRig();
    stream.event('invocation', 'x'.repeat(100_000));
    await pass(0);
    expect(warnings.mock.calls[0]!.join(' ').length).toBeLessThan(300);
  });

  it.each<[string, string, (id: string) => unknown]>([
    ['a name that is not known', 'progress', (id) => ({ id, percent: 5 })],
    ['a job that nobody watches', 'invocation', () => jobText(newId(), 'pending')],
    ['trouble of a job that nobody watches', 'trouble', () => ({ id: newId(), error: 'upstream_error' })],
    ['an end without a reason', 'end', () => ({})],
  ])('of another kind is ignored: %s', async (_, name, dataOf) => {
    const { rig, a, stream, live } = await freshRig();
    stream.event(name, dataOf(a.id));
    await pass(1_000);
    expect(a.snapshot()).toBe(live);
    expect([rig.calls.length, rig.open().length]).toEqual([1, 1]);
  });
});

describe('an event', () => {
  it('may come in any pieces, and its id in any case', async () => {
    const { a, stream } = await freshRig();
    const text = `event: invocation\r\ndata: ${jobText(a.id.toUpperCase(), 'pending')}\r\n\r\n`;
    for (const piece of text.match(/.{1,7}/gs)!) {
      stream.write(piece);
      await pass(1);
    }
    expect(a.snapshot().invocation).toMatchObject({ id: a.id, state: 'pending' });
  });

  it('of an unknown status is `unrecognised`, and the watch goes on', async () => {
    const { rig, a, stream } = await freshRig();
    stream.event('invocation', jobText(a.id, { paused: {} }));
    await pass(15_000);
    expect(a.snapshot()).toMatchObject({ phase: 'live', invocation: { state: 'unrecognised' } });
    expect(rig.open()).toHaveLength(1);
  });

  it('larger than 2 MiB breaks the stream, and the page does not keep it', async () => {
    const { rig, stream } = await freshRig();
    for (let n = 0; n < 40; n++) stream.write(n ? 'x'.repeat(65_536) : 'data: ');
    await pass(100);
    expect(stream.isOver() || rig.open()[0] !== stream).toBe(true);
  });
});
