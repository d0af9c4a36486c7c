// What the engine's worker and a thread of its pool tell each other through shared memory: four 32-bit words.

/** Index of the state of the latest task: its number times `STATES`, plus one of the following. */
export const STATE = 0;
/** Index of the number of values in the result. */
export const LENGTH = 1;
/** Index of the number of the latest task that the thread has seen. */
export const SEEN = 2;
/** Index of the number of the area that the latest task lies in. */
export const AREA = 3;
export const WORDS = 4;

export const STATES = 4;
export const SENT = 0;
export const BEGUN = 1;
export const DONE = 2;
/** Failed, or withdrawn before it was begun. */
export const OVER = 3;
