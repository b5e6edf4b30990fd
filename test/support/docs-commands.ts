/**
 * The commands of the pages as one script per page, in order. They run as they stand, but for what is listed here with its
 * reason. Ports are free ones, `/opt` and `/etc` are in a folder of the test's, and what serves for ever is ended.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BLOCKS, PAGES } from './docs-blocks.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** Runs nothing. */
const NOTHING = ':';

/** A command that does not run as it stands, what runs instead, and why; if nothing of it runs, the test that holds it. */
export const STAND_INS: readonly (readonly [command: RegExp, instead: string, why: string])[] = [
  [
    /^npm install --global chroma-sync-gateway$/,
    'npm install --global "$PACKAGE"',
    'is on npm with a release only',
  ],
  [
    /^npm install chroma-sync-gateway$/,
    '(cd "$(mktemp -d)" && npm install "$PACKAGE")',
    'the same; in a project of the reader’s',
  ],
  [/^npx wrangler secret put \w+$/, 'npx wrangler secret put --help >/dev/null', 'needs an account'],
  [/^npm run deploy(?: -- --var \S+)?$/, 'npm run deploy -- --dry-run', 'needs an account'],
  [/^(?:npm install && npm test|npm run check|npm run test:wide)$/, NOTHING, '.ci/run'],
  [/^npx vitest run -t '#\d+'$/, '$& test/unit/cache', 'takes minutes over all tests'],
  [/^docker (?:build|run) .*$/, NOTHING, 'test/package/image.wide.test.ts'],
  [/^docker compose (-f \S+) up --build --detach$/, 'docker-compose $1 config --quiet', 'needs Docker'],
  [/^systemctl daemon-reload$/, NOTHING, 'test/package/systemd.wide.test.ts'],
  [/^systemctl enable --now (\S+)$/, 'systemctl --root="$SYSTEM" enable $1', 'needs a systemd that runs'],
  [/^kubectl apply -k (\S+)$/, 'kubectl kustomize $1 >/dev/null', 'needs a cluster'],
  [/^apt-get install /, 'apt-get install --simulate ', 'changes the machine'],
  [
    /^npm run bench( -- .*?)??(?: >.*)?$/,
    'npm run bench -- --only economy --markdown',
    'takes a quarter of an hour',
  ],
  [/^install .* \/dev\/stdin \S+$/, '$& <<<ck-your-key', 'is typed'],
  [/ HOST=0\.0\.0\.0 /, ' HOST=127.0.0.1 ', 'a test listens on loopback only'],
];

/** Serves for ever. */
const SERVER =
  /^(?:npm install && )?(?:[A-Z_]+=(?:"[^"]*"|\S*) )*(?:chroma-sync-gateway(?: demo)?|npm start|npm run demo|node \S+\.js)$/;
const SETTINGS = /^(?:[A-Z_]+=\S+\n)+$/;
const GATEWAY = 'AUTH=grant PORT=8787 UPSTREAM_URL="$SIMULATOR" chroma-sync-gateway';

/** The commands of a block: without remarks, continued lines as one. */
export function commandsIn(code: string): string[] {
  const lines = code.replaceAll(/\s*\\\n\s*/g, ' ').split('\n');
  return lines.map((line) => line.replace(/\s+# .*$/, '').trim()).filter((line) => line !== '');
}

/** All commands of all pages, as they stand. */
export const COMMANDS: readonly string[] = BLOCKS.filter(({ language }) => language === 'sh').flatMap(
  ({ code }) => commandsIn(code),
);

/** Pages that have commands. */
export const PAGES_WITH_COMMANDS = PAGES.filter((name) =>
  BLOCKS.some(({ page, language }) => page === name && language === 'sh'),
);

export interface Places {
  /** Of the gateway; the next one is of the demo's page. */
  readonly port: number;
  readonly simulatorPort: number;
}

/**
 * The script of a page; what stands in for several of its commands runs once. It expects `CLONE`, `SYSTEM`, `PACKAGE`,
 * `SIMULATOR` and the gateway's secrets in its environment.
 */
export function scriptOf(page: string, { port, simulatorPort }: Places): string {
  let isServed = false;
  const lines = [readFileSync(join(ROOT, 'test/support/docs-commands.sh'), 'utf8'), 'set -v'];
  const serve = (how: string, command: string) => lines.push(`${how} <<'END'`, command, 'END');

  for (const { code } of BLOCKS.filter((block) => block.page === page && block.language === 'sh')) {
    lines.push('cd "$CLONE"');
    if (SETTINGS.test(code)) {
      serve('serve_once', `set -a; unset GRANT_SECRET\n${code}chroma-sync-gateway`);
      continue;
    }
    for (const command of commandsIn(code)) {
      if (/127\.0\.0\.1:8787/.test(command) && !isServed) {
        isServed = true;
        serve('serve', GATEWAY);
      }
      const instead = insteadOf(command);
      const isDemo = SERVER.test(command) && command.endsWith('demo');
      isServed ||= isDemo;
      if (isDemo) serve('serve', `export PORT=8787\n${instead}`);
      else if (command.endsWith(' &')) serve('serve', instead.slice(0, -2));
      else if (SERVER.test(command)) serve('serve_once', instead);
      else if (instead === command || !lines.includes(instead)) lines.push(instead);
    }
  }
  const ports: Readonly<Record<string, number>> = { 8787: port, 8788: port + 1, 8000: simulatorPort };
  return `${lines.join('\n')}\n`
    .replaceAll(/(?<=127\.0\.0\.1:|\bPORT=)(8787|8788|8000)\b/g, (text) => String(ports[text]))
    .replaceAll(/(?<= )\/(?=(?:opt|etc)\/)/g, '"$SYSTEM"/');
}

function insteadOf(command: string): string {
  const found = STAND_INS.find(([pattern]) => pattern.test(command));
  return found === undefined ? command : command.replace(found[0], found[1]);
}
