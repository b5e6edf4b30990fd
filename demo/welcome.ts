/** What the demo prints: the page's address first, then lines that work as they stand. */
import { FIRST } from './showcase.ts';

export interface Addresses {
  readonly page: string;
  readonly gateway: string;
  readonly chroma: string;
  /** What was wanted and is not free. */
  readonly takenPorts: readonly number[];
}

export function welcome({ page, gateway, chroma, takenPorts }: Addresses): string {
  const notes = takenPorts.map((port) => `Port ${port} is not free; using another.\n`);
  return `Open this page:

  ${page}/

chroma-sync-gateway   ${gateway}
simulated Chroma Sync ${chroma}   (made-up jobs; no account is needed)
${notes.length > 0 ? `\n${notes.join('')}` : ''}
Three jobs were just created:

  ${FIRST.completes}   github       complete in 20 s
  ${FIRST.fails}   s3           failed in 15 s
  ${FIRST.isCancelled}   web_scrape   cancelled in 10 s

In another terminal, get a grant from the page's back end, and ask the gateway for a job:

  grant=$(curl -s ${page}/grant)
  curl -i -H "Authorization: Bearer $grant" ${gateway}/api/v1/invocations/${FIRST.completes}

Or create a new job, watch it until it is complete, and see how often Chroma was asked: once every two seconds,
however many watch.

  id=$(curl -s -X POST ${chroma}/_simulator/jobs | grep -oE '[0-9a-f-]{36}')
  curl -N -H "Authorization: Bearer $grant" "${gateway}/api/v1/invocations/events?id=$id"
  curl -s ${chroma}/_simulator/count/$id

Ctrl-C stops all of it.`;
}
