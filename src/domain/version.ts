/** This program's version; a test holds it against package.json. Pure. */
export const VERSION = '0.2.0';
