/** What `--help` says. The variables are those of the one table. */
import {
  MEANINGS,
  VARIABLE_NAMES,
  VARIABLES,
  type Variable,
  type VariableName,
} from '../config/variables.ts';

const WIDTH = 100;

export const HELP = `An authenticating caching gateway for Chroma Sync invocations.

  chroma-sync-gateway             starts the sidecar, as the environment says
  chroma-sync-gateway demo        starts it before a simulated Chroma Sync: no account is needed
  chroma-sync-gateway grant …     prints a grant; grant --help says how
  chroma-sync-gateway health      asks /healthz on HOST and PORT: status 0 for a 200, else 1
  chroma-sync-gateway --help      this text
  chroma-sync-gateway --version   the version

Exit status: 0 stopped in order, 1 failed, 64 wrong usage, 78 a bad environment or too old a Node.

Environment (durations in milliseconds, sizes in bytes):

${VARIABLE_NAMES.map(entryOf).join('\n')}
`;

function entryOf(name: VariableName): string {
  const { default: value, unset }: Variable = VARIABLES[name];
  const shown = value ?? unset;
  const meaning = MEANINGS[name].replaceAll('`', '');
  return `  ${name}${shown === undefined ? '' : ` (${String(shown).replaceAll('`', '')})`}\n${wrapped(meaning)}`;
}

function wrapped(text: string): string {
  const lines = [''];
  for (const word of text.split(' ')) {
    if (lines.at(-1)!.length + 1 + word.length > WIDTH - 5) lines.push('');
    lines.push(`${lines.pop()} ${word}`);
  }
  return lines.map((line) => `     ${line}`).join('\n');
}
