/** Heavy work takes turns (#200). */
import { expect, it } from 'vitest';
import { createOwnTurn } from '../../../src/node/own-turn.ts';

/** The number of the event loop's turn, as long as somebody looks. */
function countTurns() {
  let turns = 0;
  let immediate = setImmediate(function turn() {
    turns += 1;
    immediate = setImmediate(turn);
  });
  return { now: () => turns, stop: () => clearImmediate(immediate) };
}

it('whoever asks has a turn of the event loop alone, first come, first served', async () => {
  const ownTurn = createOwnTurn();
  const turns = countTurns();
  const had: [who: number, turn: number][] = [];
  const take = async (who: number) => {
    await ownTurn();
    had.push([who, turns.now()]);
  };
  await Promise.all([take(0), take(1), take(2).then(() => take(4)), take(3)]);
  turns.stop();
  expect(had.map(([who]) => who)).toEqual([0, 1, 2, 3, 4]);
  const at = had.map(([, turn]) => turn);
  expect(new Set(at).size).toBe(5);
  expect(at).toEqual(at.toSorted((a, b) => a - b));
});

it('who comes when nobody waits any more has one too, and it holds nothing alive', async () => {
  const ownTurn = createOwnTurn();
  for (let i = 0; i < 3; i++) {
    const turns = countTurns();
    await ownTurn();
    turns.stop();
  }
  expect(process.getActiveResourcesInfo()).not.toContain('Immediate');
});
