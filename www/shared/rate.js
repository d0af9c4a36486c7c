/** Pictures in a second of a video, where nothing else is said. */
export const RATE = 24;
