/** What happens when no grant is to be had (contract §13). */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { GatewayError } from '../../../client/error.ts';
import {
  answering,
  byHand,
  type Call,
  createClientRig,
  errorBody,
  GRANT_ROUTE,
  holdClock,
  pass,
  SLACK,
} from '../../support/client-rig.ts';
import { newId } from '../../support/jobs.ts';

beforeEach(holdClock);
afterEach(() => {
  vi.useRealTimers();
});

const grantOf = (call: Call) => call.headers.Authorization;
const HTML = { 'Content-Type': 'text/html' };

describe('a grant route', () => {
  it.each([401, 403])('that answers %i ends the watches: `unauthorized`', async (status) => {
    const rig = createClientRig({
      grant: GRANT_ROUTE,
      onCall: answering({ grant: (call) => call.answer(status, { error: 'no', message: 'no' }) }),
    });
    const a = rig.show();
    await pass(50 + SLACK);
    expect(a.snapshot()).toMatchObject({ phase: 'error', error: { code: 'unauthorized', status } });
    await pass(60_000);
    expect(rig.calls).toHaveLength(1);
  });

  it('that refuses where lookups ask ends the watches as well', async () => {
    const rig = createClientRig({
      grant: GRANT_ROUTE,
      onCall(call) {
        if (call.kind === 'stream') call.answer(404);
        else if (call.kind === 'lookup') call.answer(401, errorBody('unauthorized', false));
        else if (rig.grants().length === 1) call.answer(200, { grant: 'first' });
        else call.answer(403);
      },
    });
    const a = rig.show();
    await pass(50 + SLACK);
    expect(a.snapshot()).toMatchObject({ phase: 'error', error: { code: 'unauthorized', status: 403 } });
    expect(rig.calls.map(({ kind }) => kind)).toEqual(['grant', 'stream', 'lookup', 'grant']);
  });

  it('that fails again after it was well begins anew with 1 s', async () => {
    const rig = createClientRig({
      grant: GRANT_ROUTE,
      onCall: answering({ grant: (call) => call.answer(500) }),
    });
    rig.show();
    await pass(13_000);
    rig.setOnCall(answering());
    await pass(10_000);
    const before = rig.grants().length;
    rig.setOnCall(answering({ grant: (call) => call.answer(500) }));
    rig.open()[0]!.event('end', { reason: 'expired' });
    await pass(8_000);
    const times = rig
      .grants()
      .slice(before)
      .map(({ at }) => at - 23_000);
    expect(times).toEqual([0, 1_000, 3_000, 7_000]);
  });

  const failures: [string, (call: Call) => void][] = [
    ['500', (call) => call.answer(500, 'oh')],
    ['400', (call) => call.answer(400, { error: 'invalid', message: 'no' })],
    ['HTML', (call) => call.answer(200, '<p>log in</p>', HTML)],
    ['no grant', (call) => call.answer(200, { token: 'x' })],
    ['an empty grant', (call) => call.answer(200, { grant: '' })],
    ['null', (call) => call.answer(200, 'null')],
    ['nothing: the network fails', (call) => call.fail()],
  ];

  it.each(failures)(
    'that answers %s is tried again with back-off, and nothing ends (#181)',
    async (_, answer) => {
      const rig = createClientRig({ grant: GRANT_ROUTE, onCall: answering({ grant: answer }) });
      const a = rig.show();
      await pass(17_050 + SLACK);
      expect(rig.grants().map(({ at }) => at)).toEqual([50, 1_050, 3_050, 7_050, 12_050, 17_050]);
      expect(a.snapshot().phase).toBe('loading');
      rig.setOnCall(answering());
      await pass(5_100);
      expect(a.snapshot().phase).toBe('live');
    },
  );

  it('that does not answer within 10 s is given up, and tried again (#181)', async () => {
    const rig = createClientRig({ grant: GRANT_ROUTE, onCall: answering({ grant: byHand }) });
    rig.show();
    await pass(50 + 9_999);
    expect(rig.grants()[0]!.isGivenUp()).toBe(false);
    await pass(SLACK);
    expect(rig.grants()[0]!.isGivenUp()).toBe(true);
    await pass(1_000);
    expect(rig.grants().map(({ at }) => at)).toEqual([50, 11_050]);
  });

  it('that never answers a function is given up as well, and what it says later is not used', async () => {
    const answers: ((grant: string) => void)[] = [];
    const grant = () => new Promise<string>((resolve) => answers.push(resolve));
    const rig = createClientRig({ grant, onCall: answering() });
    rig.show();
    await pass(11_060);
    expect(answers).toHaveLength(2);
    answers[0]!('too late');
    await pass(100);
    expect(rig.calls).toEqual([]);
    answers[1]!('in time');
    await pass(100);
    expect(rig.calls.map(grantOf)).toEqual(['Bearer in time']);
  });

  it('fails no more than the grant: a job that is known stays, stale', async () => {
    const rig = createClientRig({ grant: GRANT_ROUTE, onCall: answering() });
    const a = rig.show();
    await pass(5_000);
    rig.setOnCall(answering({ grant: (call) => call.answer(500) }));
    rig.streams()[0]!.event('end', { reason: 'expired' });
    await pass(3_000 + SLACK);
    expect(a.snapshot()).toMatchObject({ phase: 'live', isStale: true, invocation: { state: 'processing' } });
    await pass(120_000);
    expect(rig.grants().length).toBeLessThan(30);
  });

  it('is asked once for all that wait for it (#181)', async () => {
    const rig = createClientRig({ grant: GRANT_ROUTE, onCall: answering({ grant: byHand }) });
    for (let n = 0; n < 10; n++) rig.show();
    const waiting = Array.from({ length: 10 }, () => rig.client.get(newId()).catch(() => undefined));
    await pass(1_000);
    // One for the stream, one for the ten that nobody watches.
    expect(
      rig
        .grants()
        .map(({ ids }) => ids.length)
        .sort(),
    ).toEqual([10, 10]);
    for (const call of rig.grants()) call.answer(401);
    await Promise.all(waiting);
  });
});

describe('a function that gives grants', () => {
  it('may end the watches by `unauthorized`; whatever else it throws is tried again', async () => {
    const thrown: unknown[] = [
      new Error('offline'),
      'text',
      undefined,
      new GatewayError('unauthorized', 'Who is it?'),
    ];
    const rig = createClientRig({
      grant: () => {
        throw thrown.shift();
      },
    });
    const a = rig.show();
    await pass(3_100);
    expect(a.snapshot().phase).toBe('loading');
    await pass(4_000);
    expect(a.snapshot()).toMatchObject({
      phase: 'error',
      error: { code: 'unauthorized', message: 'Who is it?' },
    });
    expect(thrown).toEqual([]);
  });
});
