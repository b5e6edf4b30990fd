/** It stops: a terminal job is never asked about again, and nothing outlives the last watch (contract §13). */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  answering,
  byHand,
  COMPLETE,
  createClientRig,
  GRANT_ROUTE,
  holdClock,
  jobText,
  NOTHING,
  pass,
} from '../../support/client-rig.ts';

beforeEach(holdClock);
afterEach(() => {
  vi.useRealTimers();
});

describe('a terminal job', () => {
  it.each([
    ['complete', COMPLETE],
    ['failed', { failed: { error: 'gone' } }],
    ['cancelled', 'cancelled'],
  ])('is never asked about again: %s', async (state, status) => {
    const rig = createClientRig({ onCall: answering() });
    const a = rig.show();
    await pass(5_000);
    rig.streams()[0]!.event('invocation', jobText(a.id, status));
    await pass(0);
    expect(a.snapshot()).toMatchObject({ phase: 'settled', invocation: { state }, isStale: false });
    expect(rig.left()).toEqual(NOTHING);
    for (const event of ['online', 'resume', 'pageshow', 'visibilitychange'] as const) rig.page.tell(event);
    a.stop();
    await pass(3_600_000);
    const again = rig.show(a.id);
    expect(again.snapshot()).toBe(a.snapshot());
    expect((await rig.client.wait(a.id)).state).toBe(state);
    for await (const job of rig.client.watch(a.id)) expect(job.state).toBe(state);
    await pass(60_000);
    expect([rig.calls.length, again.snapshot().phase]).toEqual([1, 'settled']);
  });

  it('that lookups find is never asked about again either', async () => {
    let status: unknown = 'processing';
    const rig = createClientRig({
      onCall: answering({
        stream: (call) => call.answer(404, 'no'),
        lookup: (call) => call.answer(200, jobText(call.ids[0]!, status), { ETag: '"1"' }),
      }),
    });
    const a = rig.show();
    await pass(5_000);
    status = COMPLETE;
    await pass(2_100);
    expect(a.snapshot().phase).toBe('settled');
    expect(rig.left()).toEqual(NOTHING);
    const asked = rig.calls.length;
    await pass(600_000);
    expect(rig.calls).toHaveLength(asked);
  });

  it('stays what it is, whatever comes later', async () => {
    const rig = createClientRig({ onCall: answering() });
    const [a, b] = [rig.show(), rig.show()];
    await pass(5_000);
    const [stream] = rig.streams();
    stream!.event('invocation', jobText(a.id, COMPLETE));
    await pass(0);
    const settled = a.snapshot();
    stream!.event('invocation', jobText(a.id, 'processing'));
    stream!.event('trouble', { id: a.id, error: 'upstream_error', request_id: 'r' });
    stream!.event('missing', { id: a.id, error: 'not_found', request_id: 'r' });
    rig.client.close();
    await pass(5_000);
    expect(a.snapshot()).toBe(settled);
    expect(b.snapshot().phase).toBe('error');
  });
});

describe('within a second after the last watch nothing is left', () => {
  const byDefault = answering();
  const cases: Record<string, [Parameters<typeof answering>[0], ms: number, grant?: string]> = {
    'before anything was asked': [{}, 20],
    'while the stream is opening': [{ stream: byHand }, 1_000],
    'while the stream is open': [{}, 3_000],
    'while the stream is open, and an id unheard': [{ stream: (call) => void call.begin(':\n\n') }, 15_000],
    'while a lookup is held': [{ stream: (call) => call.answer(204), lookup: (call) => hold(call) }, 5_000],
    'while lookups back off': [{ stream: (call) => call.answer(204), lookup: (call) => call.fail() }, 7_500],
    'while streams back off': [{ stream: (call) => call.answer(502) }, 4_000],
    'while the gateway asks for patience': [
      { stream: (call) => call.answer(503, '', { 'Retry-After': '60' }) },
      4_000,
    ],
    'while the grant route does not answer': [{ grant: byHand }, 3_000, GRANT_ROUTE],
    'while the grant route fails': [{ grant: (call) => call.answer(500) }, 3_000, GRANT_ROUTE],
    'while the job is missing': [{ stream: (call) => missing(call), lookup: byHand }, 3_000],
    'when the job is terminal': [{ stream: (call) => settle(call) }, 3_000],
    'when contact was lost a second ago': [{ stream: (call) => breakLater(call) }, 4_000],
  };
  type On = (call: Parameters<typeof byDefault>[0]) => void;
  const hold: On = (call) => {
    if (!('Prefer' in call.headers)) call.answer(200, jobText(call.ids[0]!), { ETag: '"1"' });
  };
  const missing: On = (call) =>
    call.begin().event('missing', { id: call.ids[0], error: 'not_found', retryable: true, request_id: 'r' });
  const settle: On = (call) => call.begin().event('invocation', jobText(call.ids[0]!, COMPLETE));
  const breakLater: On = (call) => {
    byDefault(call);
    setTimeout(() => call.fail(), 3_000);
  };

  it.each(Object.entries(cases))('%s', async (_, [answers, ms, grant]) => {
    const rig = createClientRig({ grant, onCall: answering(answers) });
    const a = rig.show();
    const b = rig.show(a.id);
    await pass(ms);
    a.stop();
    a.stop();
    b.stop();
    const asked = rig.calls.length;
    await pass(999);
    expect(rig.left()).toEqual(NOTHING);
    await pass(600_000);
    // It goes on for the half second in which somebody may come back.
    expect(rig.calls.length - asked).toBeLessThanOrEqual(1);
    expect(rig.left()).toEqual(NOTHING);
  });

  it.each(Object.entries(cases))('nor right after `close()`, %s', async (_, [answers, ms, grant]) => {
    const rig = createClientRig({ grant, onCall: answering(answers) });
    const { id, stop } = rig.show();
    await pass(ms);
    rig.client.close();
    await pass(0);
    expect(rig.left()).toEqual(NOTHING);
    stop();
    await pass(999);
    expect(rig.left()).toEqual(NOTHING);
    expect(['loading', 'settled']).toContain(rig.client.snapshot(id).phase);
  });

  it('at once after `close()`, also of what has only just left', async () => {
    const rig = createClientRig({ onCall: answering() });
    const { stop } = rig.show();
    await pass(3_000);
    stop();
    rig.client.close();
    await pass(0);
    expect(rig.left()).toEqual(NOTHING);
  });

  it('on a page that was hidden, shown, left and taken up again', async () => {
    const rig = createClientRig({ onCall: answering() });
    const a = rig.show();
    await pass(1_000);
    rig.page.hide();
    await pass(20_000);
    rig.page.show();
    await pass(1_000);
    rig.page.tell('pagehide');
    rig.page.tell('pageshow');
    await pass(1_000);
    rig.page.hide();
    a.stop();
    await pass(999);
    expect(rig.left()).toEqual(NOTHING);
  });
});
