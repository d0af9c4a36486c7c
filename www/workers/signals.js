// What the engine's worker and a member of its crew tell each other through shared memory: two 32-bit words.

/** Index of the state: one of the following. */
export const STATE = 0;
/** Index of the number of values in the result. */
export const LENGTH = 1;

export const BUSY = 0;
export const DONE = 1;
export const FAILED = 2;
