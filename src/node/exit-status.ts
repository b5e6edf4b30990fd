/** What the command ends with beside 0 and 1, by sysexits' names. */

/** A wrong use of the command. */
export const EX_USAGE = 64;
/** An environment that nothing can be started from; it tells a supervisor not to try again. */
export const EX_CONFIG = 78;
