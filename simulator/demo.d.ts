export interface DemoOptions {
  /** The file that starts the gateway. */
  readonly entry: string;
}
/** Resolves when there is something to see, or when it has failed and the exit status says so. */
export declare function startDemo({ entry }: DemoOptions): Promise<Demo>;
/** What runs. */
export interface Demo {
  /** Ends both programs. */
  stop(): void;
}
