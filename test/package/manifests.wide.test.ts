/** The manifests of `deploy/kubernetes/`: what a cluster would say of them, and whether they are a gateway that works there. */
import { spawnSync } from 'node:child_process';
import { cpSync, globSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { startGatewayProcess } from '../../simulator/gateway-process.ts';
import { parseConfig } from '../../src/config/config.ts';
import { VARIABLE_NAMES } from '../../src/config/variables.ts';
import { freePort } from '../support/free-port.ts';
import { documentsOf, flawsOf, hasModels, type Manifest, readDocuments } from '../support/manifests.ts';
import { scratchFolder } from '../support/scratch.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** The slowest stop (docs/operations.md): answers, a file that does not answer, the last lines. */
const SLOWEST_STOP_S = 20;
const SECRET = 'x'.repeat(44);
/** What the image sets. */
const IMAGE = { HOST: '0.0.0.0' };

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
  readonly periodSeconds?: number;
  readonly timeoutSeconds?: number;
  readonly failureThreshold?: number;
}
interface Rights {
  readonly [name: string]: unknown;
}
interface Container {
  readonly name: string;
  readonly image: string;
  readonly restartPolicy?: string;
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly env: readonly { readonly name: string; readonly value: string }[];
  readonly startupProbe?: Probe;
  readonly livenessProbe?: Probe;
  readonly readinessProbe?: Probe;
  readonly securityContext: Rights;
  readonly resources: { readonly limits: Readonly<Record<string, string>> };
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
}
interface Pod {
  readonly terminationGracePeriodSeconds: number;
  readonly enableServiceLinks: boolean;
  readonly automountServiceAccountToken: boolean;
  readonly securityContext?: Rights;
  readonly initContainers?: readonly Container[];
  readonly containers: readonly Container[];
  readonly volumes: readonly {
    readonly name: string;
    readonly secret: { readonly secretName: string; readonly defaultMode?: number };
  }[];
}
type Labels = Readonly<Record<string, string>>;
interface Deployment extends Manifest {
  readonly spec: {
    readonly selector: { readonly matchLabels: Labels };
    readonly template: {
      readonly metadata: { readonly labels: Labels; readonly annotations: Labels };
      readonly spec: Pod;
    };
  };
}
interface Service extends Manifest {
  readonly spec: {
    readonly selector: Labels;
    readonly ports: readonly { readonly name: string; readonly port: number; readonly targetPort: string }[];
  };
}
interface Kustomization {
  readonly resources: readonly string[];
  readonly secretGenerator: readonly { readonly name: string; readonly files: readonly string[] }[];
}

/** A folder of `deploy/kubernetes`, read. */
function readSet(name: string) {
  const folder = `deploy/kubernetes/${name}`;
  const [kustomization] = readDocuments<Kustomization>(`${folder}/kustomization.yaml`);
  const manifests = kustomization!.resources.flatMap((file) => readDocuments(`${folder}/${file}`));
  const deployment = manifests.find(({ kind }) => kind === 'Deployment') as Deployment;
  const { metadata, spec: pod } = deployment.spec.template;
  const gateway = [...(pod.initContainers ?? []), ...pod.containers].find((one) => one.name === 'gateway')!;
  return {
    folder,
    kustomization: kustomization!,
    manifests,
    labels: metadata.labels,
    annotations: metadata.annotations,
    pod,
    gateway,
    env: Object.fromEntries(gateway.env.map(({ name: variable, value }) => [variable, value])),
  };
}

/** What Kubernetes gives a pod for a Service of its namespace. */
function injectedFor({ metadata, spec }: Service): Record<string, string> {
  const name = metadata.name.toUpperCase().replaceAll('-', '_');
  const [{ port, name: portName }] = spec.ports as [Service['spec']['ports'][0]];
  return {
    [`${name}_SERVICE_HOST`]: '10.0.0.1',
    [`${name}_SERVICE_PORT`]: String(port),
    [`${name}_SERVICE_PORT_${portName.toUpperCase()}`]: String(port),
    [`${name}_PORT`]: `tcp://10.0.0.1:${port}`,
    [`${name}_PORT_${port}_TCP`]: `tcp://10.0.0.1:${port}`,
    [`${name}_PORT_${port}_TCP_PROTO`]: 'tcp',
    [`${name}_PORT_${port}_TCP_PORT`]: String(port),
    [`${name}_PORT_${port}_TCP_ADDR`]: '10.0.0.1',
  };
}

describe.each(hasModels ? ['alone', 'sidecar'] : [])('the manifests of %s', (name) => {
  const { folder, kustomization, manifests, pod, gateway, env, labels, annotations } = readSet(name);
  const scratch = scratchFolder('csg-manifests');
  afterAll(() => rmSync(scratch, { recursive: true }));
  const config = (more: Record<string, string> = {}) => {
    const mounted = `${gateway.volumeMounts[0]!.mountPath}/`;
    return parseConfig({ ...IMAGE, ...more, ...env }, 'node', (path) => {
      expect(path.startsWith(mounted)).toBe(true);
      expect(kustomization.secretGenerator[0]!.files).toContain(`secrets/${path.slice(mounted.length)}`);
      return SECRET;
    });
  };

  it.each(manifests.map((manifest) => [manifest.kind, manifest] as const))(
    '%s has no key that Kubernetes does not know, and no value that it does not take',
    async (_kind, manifest) => {
      expect(await flawsOf(manifest)).toBe('');
      expect(await flawsOf({ ...manifest, sepc: {} } as Manifest)).toContain('sepc');
    },
    30_000,
  );

  it('are all in the kustomization, which adds the Secret that they name', () => {
    const files = readdirSync(join(ROOT, folder)).filter((file) => file.endsWith('.yaml'));
    expect(['kustomization.yaml', ...kustomization.resources].sort()).toEqual(files.sort());
    const [volume] = pod.volumes.filter((one) => one.name === gateway.volumeMounts[0]!.name);
    expect(volume!.secret.secretName).toBe(kustomization.secretGenerator[0]!.name);
  });

  it('set variables that there are, and they are a configuration that starts', () => {
    expect(Object.keys(env).filter((variable) => !VARIABLE_NAMES.includes(variable as never))).toEqual([]);
    expect(config()).toMatchObject({
      ...{ token: SECRET, port: 8_787, warnings: [], metrics: { host: '0.0.0.0', port: 9_464 } },
      auth: name === 'alone' ? { kind: 'grant' } : { kind: 'none', hosts: 'loopback' },
    });
    const unset = { ...IMAGE, ...env, CHROMA_API_KEY_FILE: '/empty' };
    expect(() => parseConfig(unset, 'node', () => '\n')).toThrow('CHROMA_API_KEY');
  });

  it('name no Service whose variables change anything, should a pod get them', () => {
    const services = manifests.filter(({ kind }) => kind === 'Service') as Service[];
    for (const service of services) expect(config(injectedFor(service))).toEqual(config());
    expect(pod.enableServiceLinks).toBe(false);
  });

  it('#210 probes ask where the metrics are, since they never come from loopback', async () => {
    const probes = [gateway.startupProbe!, gateway.livenessProbe!, gateway.readinessProbe].filter(
      (probe) => probe !== undefined,
    );
    const ports = Object.fromEntries(gateway.ports.map((port) => [port.name, port.containerPort]));
    expect(String(ports.metrics)).toBe(env.METRICS_PORT);
    expect(annotations['prometheus.io/port']).toBe(env.METRICS_PORT);
    const [port, METRICS_PORT] = [await freePort(), await freePort()].map(String) as [string, string];
    const own = {
      ...{ CHROMA_API_KEY: SECRET, GRANT_SECRET: SECRET, PORT: port },
      ...{ HOST: '127.0.0.1', METRICS_HOST: '127.0.0.1', METRICS_PORT },
    };
    const withoutFiles = Object.entries(env).filter(([variable]) => !variable.endsWith('_FILE'));
    const started = startGatewayProcess({ env: { ...Object.fromEntries(withoutFiles), ...own } });
    try {
      await started.listening;
      for (const { httpGet } of probes) {
        expect(httpGet.port).toBe('metrics');
        expect(await probed(METRICS_PORT, httpGet.path)).toBe(200);
      }
    } finally {
      await started.stop();
    }
  });

  it('leave a stop its time, and let callers go before it', () => {
    const { shutdownDelayMs } = config();
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(
      shutdownDelayMs / 1_000 + SLOWEST_STOP_S,
    );
    const probe = gateway.readinessProbe;
    if (probe === undefined) return expect(gateway.restartPolicy).toBe('Always');
    const noticedS = probe.periodSeconds! * probe.failureThreshold! + probe.timeoutSeconds!;
    expect(shutdownDelayMs / 1_000).toBeGreaterThan(noticedS);
  });

  it('give it no rights, no token of the cluster, and a limit of its memory above what it may keep', () => {
    expect({ ...pod.securityContext, ...gateway.securityContext }).toMatchObject({
      runAsNonRoot: true,
      runAsUser: 10_001,
      runAsGroup: 10_001,
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
      seccompProfile: { type: 'RuntimeDefault' },
    });
    expect(pod.automountServiceAccountToken).toBe(false);
    const [, limitMi] = /^(\d+)Mi$/.exec(gateway.resources.limits.memory!)!;
    expect(Number(limitMi) * 2 ** 20).toBeGreaterThan(4 * config().cacheMaxBytes);
    for (const { secret } of pod.volumes) expect((secret.defaultMode ?? 0o444) & 0o333).toBe(0);
  });

  it('kubectl makes one text of them, the Secret with a name of its own', () => {
    const copy = join(scratch, name);
    cpSync(join(ROOT, folder), copy, { recursive: true, filter: (path) => basename(path) !== 'secrets' });
    const kustomize = () => spawnSync('kubectl', ['kustomize', copy], { encoding: 'utf8' });
    // Nothing is applied before the secrets are there.
    expect(kustomize().status).not.toBe(0);
    mkdirSync(join(copy, 'secrets'));
    for (const file of kustomization.secretGenerator[0]!.files) writeFileSync(join(copy, file), SECRET);
    const { status, stdout, stderr } = kustomize();
    expect([status, stderr]).toEqual([0, '']);
    const made = documentsOf(stdout);
    expect(made.map(({ kind }) => kind).sort()).toEqual(
      ['Secret', ...manifests.map(({ kind }) => kind)].sort(),
    );
    const secret = made.find(({ kind }) => kind === 'Secret')!;
    expect(secret.metadata.name).toMatch(/^chroma-sync-gateway-\w+$/);
    expect(stdout).toContain(`secretName: ${secret.metadata.name}`);
  });

  it('select the pods that they mean, and name ports that those have', () => {
    const text = JSON.stringify(manifests);
    const selectors = [...text.matchAll(/"(?:matchLabels|selector|podSelector)":\{("[^{}]*)\}/g)].map(
      ([, inner]) => JSON.parse(`{${inner}}`) as Labels,
    );
    const own = selectors.filter((selector) => 'app.kubernetes.io/name' in selector);
    expect(own.length).toBe(name === 'alone' ? 5 : 1);
    for (const selector of own) expect(labels).toMatchObject(selector);
    const named = [...text.matchAll(/"(?:port|targetPort)":"(\w+)"/g)].map((match) => match[1]);
    const there = gateway.ports.map((port) => port.name);
    expect(named.filter((port) => !there.includes(port!))).toEqual([]);
  });
});

/** As the kubelet asks: for the pod's address. @returns the status */
function probed(port: string, path: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const headers = { Host: `10.1.2.3:${port}`, 'User-Agent': 'kube-probe/1.33' };
    get({ host: '127.0.0.1', port, path, headers, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode);
    }).on('error', reject);
  });
}

describe('the manifests', () => {
  it('are all of deploy/kubernetes', () => {
    const folders = globSync('deploy/kubernetes/*', { cwd: ROOT }).map((path) => basename(path));
    expect(folders.sort()).toEqual(['alone', 'sidecar']);
  });
});
