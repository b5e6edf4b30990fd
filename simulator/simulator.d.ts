import type { Simulator, SimulatorOptions } from './orders.ts';

export type { Simulator, SimulatorOptions } from './orders.ts';
/** Builds a simulator that does not listen yet. */
export declare function createSimulator(options?: SimulatorOptions): Simulator;
