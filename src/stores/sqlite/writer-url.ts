/** Where the writing thread's code is. The package has it inlined here, as text: it then needs no file of its own. */
export const WRITER = new URL('./writer.ts', import.meta.url);
