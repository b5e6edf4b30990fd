/** nchan, nginx's module for streams: one channel, its newest message kept, one worker. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { NCHAN } from './tools.ts';

/** Writes the configuration; returns the arguments to start nginx with. `/` is a stream, what is posted to `/post` an event for all. */
export function configureNchan(folder: string, port: number): string[] {
  for (const name of ['body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']) {
    mkdirSync(join(folder, name), { recursive: true });
  }
  writeFileSync(
    join(folder, 'nginx.conf'),
    `load_module ${NCHAN};
${process.getuid?.() === 0 ? 'user root;' : ''}
daemon off;
worker_processes 1;
pid nginx.pid;
error_log error.log warn;
events { worker_connections 16384; }
http {
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  access_log off; server_tokens off; tcp_nodelay on;
  server {
    listen 127.0.0.1:${port} backlog=16384;
    location = /healthz { return 200; }
    location = / { nchan_subscriber eventsource; nchan_channel_id job; }
    location = /post { nchan_publisher; nchan_channel_id job; nchan_message_buffer_length 1; }
  }
}
`,
  );
  return ['-p', folder, '-c', 'nginx.conf', '-e', 'error.log'];
}
