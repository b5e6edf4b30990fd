/** Two lines of the last minute. No library: a line is a list of points. */
import type { Second } from '../state.ts';
import { byId, write } from './dom.ts';

const WIDTH = 600;
const HEIGHT = 160;
/** Room above the highest point. */
const TOP = 12;
const SECONDS = 60;

/** The newest second is at the right edge, and the highest value of both lines is the top. */
export function drawPlot(seconds: readonly Second[]): void {
  const last = seconds.at(-1) ?? { polling: 0, asked: 0 };
  const top = Math.max(1, ...seconds.flatMap(({ polling, asked }) => [polling, asked]));
  const polling = pointsOf(seconds.map((second) => second.polling / top));
  const asked = pointsOf(seconds.map((second) => second.asked / top));
  byId('polling-line').setAttribute('d', lineOf(polling));
  byId('asked-line').setAttribute('d', lineOf(asked));
  const [first, end] = [polling.at(0), polling.at(-1)];
  const area = first && end ? `${lineOf(polling)}V${HEIGHT}H${first[0]}Z` : '';
  byId('polling-area').setAttribute('d', area);
  write(byId('plot-top'), numberOf(top));
  write(byId('polling-now'), numberOf(last.polling));
  write(byId('asked-now'), numberOf(last.asked));
  const label = `Questions per second: ${numberOf(last.asked)} asked, ${numberOf(last.polling)} if everybody polled`;
  byId('plot').setAttribute('aria-label', label);
}

type Point = readonly [x: number, y: number];

/** @param values each a part of the highest */
function pointsOf(values: readonly number[]): Point[] {
  const step = WIDTH / (SECONDS - 1);
  return values.map((value, i) => [
    Math.round(WIDTH - (values.length - 1 - i) * step),
    Math.round(HEIGHT - 2 - value * (HEIGHT - 2 - TOP)),
  ]);
}

function lineOf(points: readonly Point[]): string {
  return points.map(([x, y], i) => `${i === 0 ? 'M' : 'L'}${x} ${y}`).join('');
}

function numberOf(value: number): string {
  return value < 10 ? value.toFixed(1) : Math.round(value).toLocaleString('en');
}
