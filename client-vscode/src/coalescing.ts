/** One at a time, and however often it is asked for meanwhile, once more. */

/** `run`, so that calls during a run share the one that follows it. */
export function coalesced(run: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  const begin = (): Promise<void> => {
    next = undefined;
    const current = run().finally(() => {
      if (running === current) {
        running = undefined;
      }
    });
    running = current;
    return current;
  };
  return () => {
    if (running === undefined) {
      return begin();
    }
    next ??= running.then(begin, begin);
    return next;
  };
}
