/** nginx's configuration in a folder of its own, as tests and benches begin all of theirs: nothing of the machine's. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Writes it; returns the arguments to start nginx with.
 * @param http what is inside `http`
 * @param load lines in front of everything, such as a module to load
 */
export function writeNginxConfig(folder: string, http: string, load = ''): string[] {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  for (const name of temporary) mkdirSync(join(folder, name), { recursive: true });
  writeFileSync(
    join(folder, 'nginx.conf'),
    `${load}
${process.getuid?.() === 0 ? 'user root;' : ''}
daemon off;
worker_processes 1;
pid nginx.pid;
error_log error.log warn;
events { worker_connections 16384; }
http {
  ${temporary.map((name) => `${name}_temp_path ${name};`).join(' ')}
  ${http}
}
`,
  );
  return ['-p', folder, '-c', 'nginx.conf', '-e', 'error.log'];
}
