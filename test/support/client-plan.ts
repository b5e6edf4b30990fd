/**
 * The floor plan of `client/`: what pages load. Of `src` it sees only what is safe in a browser; of packages the parser of
 * event streams, and React in the hook's file. Reads no files and knows no test runner.
 */
import { circlesOf, importsOf, type Sources, textBreaches } from './floor-plan.ts';

/** The files of `domain/` that are safe in a browser: they import only one another. */
export const BROWSER_SAFE = ['answer', 'errors', 'flaw', 'job', 'lifetime', 'list', 'pace', 'version'].map(
  (name) => `${name}.ts`,
);
const DOMAIN = '../src/domain/';

/** One line per breach. @param client by path below `client` @param domain by path below `src/domain` */
export function clientBreaches(client: Sources, domain: Sources): string[] {
  return [
    ...Object.entries(client).flatMap(([path, text]) => [
      ...textBreaches(path, text),
      ...importsOf(text).flatMap((target) => clientImport(path, target, client)),
    ]),
    ...BROWSER_SAFE.flatMap((path) =>
      domain[path] === undefined
        ? [`domain/${path}: no such file`]
        : importsOf(domain[path])
            .filter((target) => !BROWSER_SAFE.includes(target.replace('./', '')))
            .map((target) => `domain/${path} imports ${target}: not safe in a browser`),
    ),
    ...circlesOf(client),
  ];
}

function clientImport(path: string, target: string, client: Sources): string[] {
  if (target === 'eventsource-parser') return [];
  if (target === 'react' && path === 'react.ts') return [];
  if (target.startsWith('./') && target.slice(2) in client) return [];
  if (target.startsWith(DOMAIN) && BROWSER_SAFE.includes(target.slice(DOMAIN.length))) return [];
  return [`client/${path} imports ${target}: not for pages`];
}
