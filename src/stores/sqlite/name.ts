/**
 * Whether a name can be a file's at all, told without looking at the disk. SQLite takes some names for a database
 * that has no file (https://sqlite.org/inmemorydb.html) and `file:` for a URI with parameters of its own.
 */

/** `file:`, `memory:`, and whatever else may come to mean something; a drive letter is shorter. */
const SCHEME = /^[a-z][a-z0-9+.-]+:/i;
/** SQLite keeps names that begin with a colon for itself; the second is how others write the first in a URL. */
const NO_FILE = /^:|(^|\/):memory:/i;
/** A URI's parameters, which would become part of the file's name. */
const PARAMETERS = /^\/*\?|\?\w+=[^/]*$/;

/** What is wrong with the name, in fixed words; `undefined`: it may be a file's. */
export function sqliteNameProblem(name: string): string | undefined {
  if (name.trim() === '') return 'names no file';
  if (name.includes('\0')) return 'holds a character that no path can hold';
  if (NO_FILE.test(name)) return 'must name a file: for a cache without one use memory:';
  if (SCHEME.test(name)) return 'must be sqlite:PATH with a path, not a URI (./NAME for a name with a colon)';
  if (PARAMETERS.test(name)) return 'must be sqlite:PATH with a path, not a URI with parameters';
  if (/(^|\/)\.{0,2}$/.test(name)) return 'must name a file, not a folder';
  return undefined;
}
