/** The part of `react-dom` that the page uses: its types are a package that nothing else needs. */
declare module 'react-dom/client' {
  import type { ReactNode } from 'react';

  export interface Root {
    render(content: ReactNode): void;
    unmount(): void;
  }
  export function createRoot(container: Element): Root;
}
