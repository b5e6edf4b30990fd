/** The page as it is sent. In the package this file is replaced by one that holds the texts (`scripts/build.ts`). */

/** `html` has `{{gateway}}` where the gateway's address goes. */
export interface PageFiles {
  readonly html: string;
  readonly script: string;
  readonly style: string;
}

export async function pageFiles(): Promise<PageFiles> {
  const { makePage, stop } = await import('./make-page.ts');
  const { files } = await makePage();
  await stop();
  return files;
}
