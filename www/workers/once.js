// What a worker does when it is first needed.

/**
 * Does `work` at the first call, and once more after it has failed.
 * @template T
 * @param {() => Promise<T>} work
 */
export function once(work) {
  /** @type {Promise<T> | undefined} */
  let done;
  return () => {
    done ??= work().catch((thrown) => {
      done = undefined;
      throw thrown;
    });
    return done;
  };
}
