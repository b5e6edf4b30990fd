/** Varnish as a caching proxy that sends the contract's headers, everything in a folder of the bench's own. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface VarnishOptions {
  readonly port: number;
  readonly originPort: number;
  /** Name and value, all constant. */
  readonly headers: readonly (readonly [name: string, value: string])[];
}

/** Writes the VCL; returns the arguments to start varnishd with. */
export function configureVarnish(folder: string, { port, originPort, headers }: VarnishOptions): string[] {
  const sets = headers.map(([name, value]) => `set resp.http.${name} = {"${value}"};`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, 'default.vcl'),
    `vcl 4.1;
backend default { .host = "127.0.0.1"; .port = "${originPort}"; }
sub vcl_recv { return (hash); }
sub vcl_backend_response { set beresp.ttl = 1h; unset beresp.http.Vary; }
sub vcl_deliver {
  unset resp.http.X-Varnish; unset resp.http.Via;
  set resp.http.X-Request-Id = "3c90c3cc-0d44-4b50-8888-" + req.xid;
  ${sets.join('\n  ')}
}
`,
  );
  return ['-F', '-a', `127.0.0.1:${port}`, '-f', join(folder, 'default.vcl'), '-n', folder].concat([
    '-s',
    'malloc,64m',
    '-T',
    'none',
    '-j',
    'none',
    '-p',
    'timeout_idle=65',
  ]);
}
