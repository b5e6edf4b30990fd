/** Which of our paths a request is for, in whatever folder of a host's routes they are. */
import type { Log } from '../telemetry/log.ts';

/** A host may strip its own prefix or keep it, and may redirect to a slash at the end. */
const OWN_PATH = /^.*?(\/api\/v1\/invocations(?:\/.*?)?|\/healthz|\/readyz)\/?$/;

/** From a path to ours, or to itself where there is none; the first such gets a line. */
export function createPathOf(log: Log): (path: string) => string {
  let hasTold = false;
  return (path) => {
    const own = OWN_PATH.exec(path)?.[1];
    if (own === undefined && !hasTold) {
      hasTold = true;
      log.event(
        'warn',
        'a request for none of our paths: is the gateway mounted so that it gets /api/v1/invocations/…?',
      );
    }
    return own ?? path;
  };
}
