/**
 * nginx as a caching proxy that sends the contract's headers: one worker on one core, every path in a folder
 * of the bench's own.
 */
import { writeNginxConfig } from '../test/support/nginx-config.ts';

export interface NginxOptions {
  readonly port: number;
  readonly originPort: number;
  /** Name and value; `$…` is nginx's to fill in. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** `unbuffered` is nginx's default: one write per request. */
  readonly log: 'none' | 'unbuffered' | 'buffered';
}

/** The gateway's line (contract §8), as far as nginx knows its fields. */
const LOG_FORMAT = [
  '{"level":"info","time":$msec,"msg":"request","requestId":"$request_id","method":"$request_method",',
  '"route":"/api/v1/invocations/{id}","status":$status,"invocationId":"$invocation",',
  '"cache":"$upstream_cache_status","durationMs":$request_time,"upstreamMs":"$upstream_response_time"}',
].join('');

const LOGS = {
  none: 'access_log off;',
  unbuffered: 'access_log access.log gateway;',
  buffered: 'access_log access.log gateway buffer=64k flush=1s;',
} as const;

/** Writes the configuration; returns the arguments to start nginx with. */
export function configureNginx(folder: string, options: NginxOptions): string[] {
  const { port, originPort, headers, log } = options;
  const adds = headers.map(([name, value]) => `add_header ${name} '${value}';`);
  return writeNginxConfig(
    folder,
    `log_format gateway escape=json '${LOG_FORMAT}';
  ${LOGS[log]}
  server_tokens off; sendfile on; tcp_nodelay on;
  keepalive_timeout 65s 65; keepalive_requests 100000000;
  open_file_cache max=1000 inactive=1h; open_file_cache_valid 1h;
  proxy_cache_path cache keys_zone=jobs:10m inactive=1h;
  upstream origin { server 127.0.0.1:${originPort}; keepalive 64; }
  server {
    listen 127.0.0.1:${port} backlog=16384;
    location ~ ^/api/v1/invocations/(?<invocation>[0-9a-f-]+)$ {
      proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection '';
      proxy_cache jobs; proxy_cache_valid 200 1h; proxy_cache_lock on;
      proxy_ignore_headers Cache-Control Vary;
      ${adds.join('\n      ')}
    }
  }`,
  );
}
