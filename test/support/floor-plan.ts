/**
 * The floor plan as a function: source texts in, what they break out. A file imports from its own room or
 * from a lower floor, never up, never sideways, never in a circle. Reads no files and knows no test runner.
 */
import { posix } from 'node:path';

/** Source texts by path below `src`, with `/` between the parts. */
export type Sources = Readonly<Record<string, string>>;

interface Room {
  readonly name: string;
  readonly floor: number;
}

/** Rooms on one floor do not see each other; a folder inside a room is one adapter, and part of its room. */
const FOLDERS: Readonly<Record<string, number>> = {
  domain: 1,
  cache: 2,
  upstream: 2,
  grant: 2,
  stores: 3,
  telemetry: 3,
  watch: 4,
  http: 5,
  config: 5,
  node: 7,
  worker: 7,
};
/** One room: the composition knows the app. */
const ROOT_FILES: Readonly<Record<string, number>> = { app: 6, gateway: 6, lookups: 6, chroma: 6 };
const MAX_LINES = 200;
/** Only the top floor may name a runtime: below it the same code runs on both. */
const TOP_FLOOR = 7;
const RUNTIME_MODULE =
  /^(cloudflare:|pino$|@hono\/node-server$|wrangler$|workerd$|node:(process|http|https|net|tls|cluster|child_process)$)/;
const RUNTIME_GLOBAL = /(?<![.\w])(process|console|navigator|Deno|Bun)\s*\.\s*\w+/g;
const VAGUE_NAME = /^(utils?|common|types?|helpers?|index)$/;
/** `from '…'`, `import '…'`, `import('…')` (types too), `require('…')`, `new URL('…', import.meta.url)`. */
const IMPORTS = /(?:\bfrom\s*|\bimport\s*\(?\s*|\brequire\s*\(\s*|\bnew URL\s*\(\s*)(['"`])([^'"`\n]+)\1/g;

/** One line per breach; empty when the plan holds. */
export function breachesOf(sources: Sources): string[] {
  const paths = Object.keys(sources).sort();
  return [
    ...paths.flatMap((path) => shapeBreaches(path, sources[path]!)),
    ...paths.flatMap((path) => runtimeBreaches(path, sources[path]!)),
    ...paths.flatMap((path) =>
      importsOf(sources[path]!).flatMap((target) => importBreaches(path, target, sources)),
    ),
    ...circlesOf(sources),
  ];
}

/** What a source text imports, as written; comments aside. */
export function importsOf(text: string): string[] {
  return [...withoutComments(text).matchAll(IMPORTS)].map((match) => match[2]!);
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
}

function roomOf(path: string): Room | undefined {
  const [first = '', second] = path.split('/');
  if (second === undefined) {
    const floor = ROOT_FILES[first.replace(/\.ts$/, '')];
    return floor === undefined ? undefined : { name: 'root', floor };
  }
  const floor = FOLDERS[first];
  return floor === undefined ? undefined : { name: `${first}/`, floor };
}

function shapeBreaches(path: string, text: string): string[] {
  const found: string[] = [];
  if (roomOf(path) === undefined) found.push(`${path}: stands on no floor`);
  if (path.split('/').length > 3) found.push(`${path}: a folder inside an adapter`);
  return [...found, ...textBreaches(path, text)];
}

/** Too long, or named so that it says nothing. */
export function textBreaches(path: string, text: string): string[] {
  const found: string[] = [];
  const name = posix.basename(path, '.ts');
  const lines = text.split('\n').length - (text.endsWith('\n') ? 1 : 0);
  if (lines > MAX_LINES) found.push(`${path}: ${lines} lines, at most ${MAX_LINES}`);
  if (VAGUE_NAME.test(name)) found.push(`${path}: a name that says nothing`);
  return found;
}

function runtimeBreaches(path: string, text: string): string[] {
  if ((roomOf(path)?.floor ?? TOP_FLOOR) === TOP_FLOOR) return [];
  const modules = importsOf(text).filter((target) => RUNTIME_MODULE.test(target));
  const globals = withoutComments(text).match(RUNTIME_GLOBAL) ?? [];
  return [...modules, ...globals].map((name) => `${path}: names a runtime (${name})`);
}

/** The one way out of `src`: the command starts the demo. */
const WAY_OUT: readonly [from: string, to: string] = ['node/cli.ts', '../../demo/demo.ts'];

function importBreaches(path: string, target: string, sources: Sources): string[] {
  if (path === WAY_OUT[0] && target === WAY_OUT[1]) return [];
  const from = roomOf(path);
  if (!target.startsWith('.')) {
    const isFree = from?.name !== 'domain/' || /^zod(\/|$)/.test(target);
    return isFree ? [] : [`${path} imports ${target}: domain/ knows zod and itself`];
  }
  const reached = resolve(path, target);
  const to = roomOf(reached);
  if (!(reached in sources)) return [`${path} imports ${target}: no such file in src`];
  if (from === undefined || to === undefined || from.name === to.name) return [];
  if (to.floor > from.floor) return [`${path} imports ${reached}: upward`];
  if (to.floor === from.floor) return [`${path} imports ${reached}: sideways`];
  return [];
}

function resolve(path: string, target: string): string {
  return posix.normalize(posix.join(posix.dirname(path), target));
}

/** Each circle once, by a walk in depth. */
export function circlesOf(sources: Sources): string[] {
  const done = new Set<string>();
  const trail: string[] = [];
  const found: string[] = [];
  const visit = (path: string): void => {
    const start = trail.indexOf(path);
    if (start >= 0) found.push(`a circle: ${[...trail.slice(start), path].join(' -> ')}`);
    if (start >= 0 || done.has(path) || sources[path] === undefined) return;
    trail.push(path);
    for (const target of importsOf(sources[path])) {
      if (target.startsWith('.')) visit(resolve(path, target));
    }
    trail.pop();
    done.add(path);
  };
  for (const path of Object.keys(sources).sort()) visit(path);
  return found;
}
