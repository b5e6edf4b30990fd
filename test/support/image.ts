/**
 * `deploy/Dockerfile` built and run without Docker and without a registry: buildah on a base of Debian's libraries and our
 * Node; run as PID 1 in namespaces of its own, its tree mounted read-only.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe } from 'vitest';
import { type GatewayProcess, startGatewayProcess } from '../../simulator/gateway-process.ts';

const hasTools = ['buildah', 'mmdebstrap'].every((tool) => spawnSync(tool, ['--version']).status === 0);
const isRoot = process.getuid?.() === 0;
if (!hasTools || !isRoot) {
  const message = 'the image was not tried: it takes root, buildah and mmdebstrap (apt-get install)';
  if (process.env.CI === 'true') throw new Error(message);
  console.error(message);
}

/** `describe`, where images can be built. */
export const describeWithImages = describe.skipIf(!hasTools || !isRoot);

/** What the image says of itself. */
export interface ImageConfig {
  readonly User: string;
  readonly Env: readonly string[];
  readonly Cmd: readonly string[] | null;
  readonly Entrypoint: readonly string[];
  readonly WorkingDir: string;
  readonly Healthcheck: { readonly Test: readonly string[] };
}

export interface Image {
  readonly config: ImageConfig;
  /** All its layers, unpacked. */
  readonly bytes: number;
  /** Its tree. */
  readonly root: string;
  /** Starts what it starts, with these variables on top of its own; `volume` is what is mounted at `/tmp`, if anything. */
  start(
    env: Readonly<Record<string, string>>,
    options?: { volume?: string; onOutput?: (text: string, from: 'stdout' | 'stderr') => void },
  ): GatewayProcess;
  /** Its health check, as a runtime runs it. @returns the exit status */
  health(env: Readonly<Record<string, string>>): number | null;
  remove(): void;
}

/** Its tree read-only, but for what is mounted at `/tmp`; then the command, in the place of the shell. */
const READ_ONLY = `set -e
mount --bind "$1" "$1"
mount -o remount,bind,ro "$1"
[ -z "$2" ] || mount --bind "$2" "$1/tmp"
shift 2
exec "$@"`;

/** @param context a folder with `dist/` and `deploy/` */
export function buildImage(context: string): Image {
  const work = mkdtempSync(join(tmpdir(), 'csg-image-'));
  const stored = ['--root', join(work, 'root'), '--runroot', join(work, 'run'), '--storage-driver', 'vfs'];
  const buildah = (...args: string[]) =>
    execFileSync('buildah', [...stored, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  const build = (...args: string[]) => buildah('bud', '--isolation', 'chroot', '--format', 'docker', ...args);

  const base = join(work, 'base');
  mkdirSync(base);
  makeBase(base);
  build('-t', 'localhost/base:1', base);
  const file = join(context, 'deploy/Dockerfile');
  build(
    '--pull-never',
    '--build-arg',
    'BASE=localhost/base:1',
    '-t',
    'localhost/gateway:1',
    '-f',
    file,
    context,
  );
  const { Docker, Manifest } = JSON.parse(buildah('inspect', '--type', 'image', 'localhost/gateway:1')) as {
    Docker: { config: ImageConfig };
    Manifest: string;
  };
  const { layers } = JSON.parse(Manifest) as { layers: { size: number }[] };
  const container = buildah('from', '--pull-never', 'localhost/gateway:1').trim();
  const root = buildah('mount', container).trim();
  const { config } = Docker;

  /** The command line that runs what follows it inside. */
  function inside(env: Readonly<Record<string, string>>, volume = ''): string[] {
    const unshare = ['unshare', '--mount', '--pid', '--fork', '--kill-child'];
    const variables = [...config.Env, ...Object.entries(env).map(([name, value]) => `${name}=${value}`)];
    const [, group = ''] = config.User.split(':');
    const chroot = ['chroot', `--userspec=${config.User}`, `--groups=${group}`, root];
    return [...unshare, 'sh', '-c', READ_ONLY, 'sh', root, volume, 'env', '-i', ...variables, ...chroot];
  }

  return {
    config,
    bytes: layers.reduce((sum, { size }) => sum + size, 0),
    root,
    start(env, { volume, onOutput } = {}) {
      const [node, entry] = config.Entrypoint;
      return startGatewayProcess(
        { env: {}, under: inside(env, volume), node: node!, entry: entry! },
        onOutput,
      );
    },
    health(env) {
      const [command, ...args] = [...inside(env), ...config.Healthcheck.Test.slice(1)];
      return spawnSync(command!, args).status;
    },
    remove() {
      buildah('umount', '--all');
      rmSync(work, { recursive: true, force: true });
    },
  };
}

/** Stands for the plain Node image of a registry: what a Node needs of Debian, and a Node. */
function makeBase(folder: string): void {
  const suite = /^VERSION_CODENAME=(.*)$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'bookworm';
  const packages = '--include=libc6,libstdc++6,libgcc-s1,ca-certificates';
  const rootfs = join(folder, 'rootfs.tar');
  execFileSync('mmdebstrap', ['--variant=extract', '--mode=root', packages, suite, rootfs], {
    stdio: 'pipe',
  });
  copyFileSync(process.execPath, join(folder, 'node'));
  const file = 'FROM scratch\nADD rootfs.tar /\nCOPY node /usr/local/bin/node\n';
  writeFileSync(join(folder, 'Dockerfile'), file);
}
