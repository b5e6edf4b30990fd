/** nchan, nginx's module for streams: one channel, its newest message kept, one worker. */
import { writeNginxConfig } from '../test/support/nginx-config.ts';
import { NCHAN } from './tools.ts';

/** Writes the configuration; returns the arguments to start nginx with. `/` is a stream, what is posted to `/post` an event for all. */
export function configureNchan(folder: string, port: number): string[] {
  return writeNginxConfig(
    folder,
    `access_log off; server_tokens off; tcp_nodelay on;
  server {
    listen 127.0.0.1:${port} backlog=16384;
    location = /healthz { return 200; }
    location = / { nchan_subscriber eventsource; nchan_channel_id job; }
    location = /post { nchan_publisher; nchan_channel_id job; nchan_message_buffer_length 1; }
  }`,
    `load_module ${NCHAN};`,
  );
}
