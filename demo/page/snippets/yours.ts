/** What the snippet of the back end leaves to the application. Not shown, only compiled. */
export declare function userOf(request: Request): string;
export declare function jobsOf(user: string): Promise<readonly string[]>;

declare global {
  /** Node's, of which the page's own types know nothing. */
  var process: {
    readonly env: Readonly<Record<string, string | undefined>>;
  };
}
