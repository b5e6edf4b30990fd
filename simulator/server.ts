/**
 * The simulator by itself: `PORT=8000 CHROMA_API_KEY=made-up node simulator/server.ts`. Prints its URL, runs until
 * SIGINT or SIGTERM.
 */
import { createSimulator } from './simulator.ts';

const token = process.env.CHROMA_API_KEY;
const simulator = createSimulator(token ? { token } : {});
const url = await simulator.listen(Number(process.env.PORT ?? 0));
console.log(`Simulated Chroma Sync: ${url} (commands: ${url}/_simulator/)`);

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void simulator.close());
