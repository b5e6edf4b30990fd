/** Names and addresses of this very machine, which no stranger's DNS can point elsewhere. Pure. */

/** RFC 6761 §6.3. The last dot is a browser's as well, and to it the same name; an empty label is nobody's. */
const NAME = /^(?:[a-z0-9_-]+\.)*localhost\.?$/i;
/** 127.0.0.0/8 and ::1 as the URL standard writes them; a browser sends no other form. */
const IPV4 = /^127(?:\.(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)){3}$/;
const IPV6 = '[::1]';

/**
 * Whether an address to listen on, or a URL's host, is this machine's alone: `localhost`, 127.0.0.0/8 or ::1, in
 * brackets or not. A name below `localhost` is none: what it leads to is up to the system's resolver.
 */
export function isLoopbackAddress(host: string): boolean {
  return host.toLowerCase() === 'localhost' || IPV4.test(host) || host === '::1' || host === IPV6;
}

/**
 * Whether a `Host` header (RFC 9110 §7.2) means this machine: `localhost`, `*.localhost`, 127.0.0.0/8 or `[::1]`, with
 * any port. A page that has its own name resolve to 127.0.0.1 still sends that name (#151). What is missing, or not
 * plainly one of these, is `false`.
 */
export function isLoopbackHost(hostHeader: string | undefined): boolean {
  const [, host, port = '0'] = /^(\[[^\]]*\]|[^:]*)(?::0*(\d{1,5}))?$/.exec(hostHeader ?? '') ?? [];
  if (host === undefined || Number(port) > 65_535) return false;
  return NAME.test(host) || IPV4.test(host) || host === IPV6;
}
