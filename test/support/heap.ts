/** How much lives, after a collection: for tests that promise not to grow. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Bytes on the heap that something still holds. */
export async function liveHeapBytes(): Promise<number> {
  for (let pass = 0; pass < 3; pass++) {
    await new Promise((resolve) => setImmediate(resolve)); // finalizers and settled promises let go
    collect();
  }
  return process.memoryUsage().heapUsed;
}
