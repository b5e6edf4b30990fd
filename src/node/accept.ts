/** Which format of figures a caller takes (RFC 9110 §12.5.1), of the two that there are. */
import type { Format } from '../telemetry/exposition.ts';

const OPENMETRICS = /^application\/openmetrics-text$/i;
const TEXT = /^(text\/(plain|\*)|\*\/\*)$/i;

/** OpenMetrics for those who ask for its version 1.0.0, or for none, at least as gladly as for plain text. */
export function formatOf(accept = ''): Format {
  let openmetrics = 0;
  let text = 0;
  for (const element of accept.split(',')) {
    const [type = '', ...parameters] = element.split(';').map((part) => part.trim());
    const parameter = (name: string) =>
      parameters.find((one) => one.toLowerCase().startsWith(`${name}=`))?.slice(name.length + 1);
    const q = Number(parameter('q') ?? 1);
    const version = parameter('version')?.replaceAll('"', '');
    if (OPENMETRICS.test(type) && (version === undefined || version === '1.0.0')) {
      openmetrics = Math.max(openmetrics, q);
    } else if (TEXT.test(type)) text = Math.max(text, q);
  }
  return openmetrics > 0 && openmetrics >= text ? 'openmetrics' : 'text';
}
