/** Contract §3 and §14: where the second listener is, and when there is none. */
import { describe, expect, it } from 'vitest';
import { problemsOf, read, type Variables } from '../../support/config.ts';

const metricsOf = (env: Variables) => read(env).metrics;

describe('METRICS_PORT', () => {
  it('alone opens the second listener on loopback; unset or blank there is none', () => {
    expect(metricsOf({ METRICS_PORT: '9464' })).toEqual({ host: '127.0.0.1', port: 9_464 });
    expect(metricsOf({})).toBeUndefined();
    expect(metricsOf({ METRICS_PORT: ' ', METRICS_HOST: '0.0.0.0' })).toBeUndefined();
  });

  it('METRICS_HOST says where; an IPv6 address may be written in brackets', () => {
    expect(metricsOf({ METRICS_PORT: '1', METRICS_HOST: '[::]' })).toEqual({ host: '::', port: 1 });
  });

  it.each<[string, Variables]>([
    ['the default PORT', { METRICS_PORT: '8787' }],
    ['a PORT of one’s own', { PORT: '9464', METRICS_PORT: '9464' }],
    ['the same PORT on another address', { PORT: '9464', METRICS_PORT: '9464', METRICS_HOST: '127.0.0.2' }],
  ])('%s: refuses to start', (_what, env) => {
    expect(problemsOf(env)).toEqual(['METRICS_PORT: must be another port than PORT']);
  });

  it.each(['tcp://10.0.0.7:9464', 'udp://10.0.0.7:9464'])(
    '%s is what Kubernetes injects for a service named metrics: as if unset, and said once',
    (METRICS_PORT) => {
      const { metrics, warnings } = read({ METRICS_PORT, METRICS_SERVICE_HOST: '10.0.0.7' });
      expect(metrics).toBeUndefined();
      expect(warnings).toEqual([expect.stringMatching(/^METRICS_PORT holds what Kubernetes injects /)]);
      expect(warnings.join()).not.toContain('10.0.0.7');
    },
  );

  it.each(['0', '65536', '-1', '9464.5', 'on', 'http://10.0.0.7:9464'])('%s refuses to start', (port) => {
    expect(problemsOf({ METRICS_PORT: port })).toEqual([
      'METRICS_PORT: must be a whole number from 1 to 65535',
    ]);
  });

  it('means nothing on Workers', () => {
    expect(read({ METRICS_PORT: '8787' }, { runtime: 'workers' }).metrics).toBeUndefined();
  });

  it('means nothing where the gateway is mounted, nor does what looks like it', () => {
    const env = {
      METRICS_PORT: 'tcp://10.0.0.7:9464',
      METRICS_HOST: '?',
      METRICS_HOSTS: 'a',
      METRICS_PROT: 'b',
    };
    expect(read(env, { runtime: 'mounted' })).toMatchObject({ metrics: undefined, warnings: [] });
  });
});
