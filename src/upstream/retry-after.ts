/**
 * Reads `Retry-After` (RFC 9110 §10.2.3): delta-seconds or an HTTP-date in any of its three forms (§5.6.7). Several
 * fields, or anything else, cannot be read.
 */

const MIN_SECONDS = 1;
const MAX_SECONDS = 300;

/** Whole seconds, clamped to 1…300 (contract §6), or `undefined`. `now` is epoch ms. */
export function parseRetryAfter(value: string | undefined, now: number): number | undefined {
  const seconds = value === undefined ? undefined : secondsOf(value, now);
  return seconds === undefined ? undefined : Math.min(MAX_SECONDS, Math.max(MIN_SECONDS, seconds));
}

function secondsOf(value: string, now: number): number | undefined {
  if (/^\d+$/.test(value)) return Number(value);
  const dueAt = parseHttpDate(value, now);
  return dueAt === undefined ? undefined : Math.ceil((dueAt - now) / 1000);
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const DAY = '(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)';
const LONG_DAY = '(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day';
const MONTH = `(?<month>${MONTHS.join('|')})`;
const TIME = '(?<hour>[01]\\d|2[0-3]):(?<minute>[0-5]\\d):(?<second>[0-5]\\d|60)';
const FORMS = [
  `${DAY}, (?<day>\\d\\d) ${MONTH} (?<year>\\d{4}) ${TIME} GMT`, // IMF-fixdate
  `${LONG_DAY}, (?<day>\\d\\d)-${MONTH}-(?<year>\\d\\d) ${TIME} GMT`, // RFC 850
  `${DAY} ${MONTH} (?<day>[ \\d]\\d) ${TIME} (?<year>\\d{4})`, // asctime, UTC
].map((form) => new RegExp(`^${form}$`));

/** Epoch ms, or `undefined`; the name of the day may be wrong, the date must exist. */
function parseHttpDate(text: string, now: number): number | undefined {
  for (const form of FORMS) {
    const parts = form.exec(text)?.groups;
    if (parts === undefined) continue;
    const at = (year: number) => {
      const [month, day] = [MONTHS.indexOf(parts.month!), Number(parts.day)];
      const instant = new Date(0);
      instant.setUTCFullYear(year, month, day);
      if (instant.getUTCDate() !== day) return undefined; // 31 February
      return instant.setUTCHours(Number(parts.hour), Number(parts.minute), Number(parts.second));
    };
    if (parts.year!.length === 4) return at(Number(parts.year));
    return nearestYear(Number(parts.year), at, now);
  }
  return undefined;
}

/** Two digits mean the last such year that is no more than 50 years in the future (RFC 9110 §5.6.7). */
function nearestYear(
  digits: number,
  at: (year: number) => number | undefined,
  now: number,
): number | undefined {
  const latest = new Date(now);
  latest.setUTCFullYear(latest.getUTCFullYear() + 50);
  const century = Math.floor(latest.getUTCFullYear() / 100) * 100;
  const instant = at(century + digits);
  if (instant !== undefined && instant <= latest.getTime()) return instant;
  return at(century - 100 + digits);
}
