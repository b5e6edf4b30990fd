/** An address as `listen` takes it. Pure. */

/** An IPv6 address may be written in brackets, as in a URL; anything else stays as it is. */
export function bareHost(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1');
}
