/** Searching while somebody types: words at once, everything after a pause, nothing that is not wanted any more. */

/** How a search is done: the first look of each key, and the whole. */
export type Stage = "first" | "full";

/** What came of it; the first look tells nothing of failures, since half a word is often none. */
export type Outcome<A> =
  | { readonly stage: Stage; readonly answer: A }
  | { readonly stage: "full"; readonly error: unknown };

export interface Asking<Q, A> {
  /** Asks the server; rejects or resolves as it likes after `signal` is aborted. */
  ask(query: Q, stage: Stage, signal: AbortSignal): Promise<A>;
  show(outcome: Outcome<A>): void;
  /** Whether each key is worth a look of its own. */
  looksFirst(): boolean;
  /** Something is asked, or nothing any more. */
  busy(isBusy: boolean): void;
}

export const PAUSE_MS = 250;

export class LiveSearch<Q, A> {
  readonly #asking: Asking<Q, A>;
  #current = new AbortController();
  #pause: ReturnType<typeof setTimeout> | undefined;

  constructor(asking: Asking<Q, A>) {
    this.#asking = asking;
  }

  /** Somebody types: looks at once, and asks for everything when no key follows. */
  type(query: Q): void {
    const { signal } = this.#renewed();
    if (this.#asking.looksFirst()) {
      void this.#ask(query, "first", signal);
    }
    this.#pause = setTimeout(() => void this.#ask(query, "full", signal), PAUSE_MS);
  }

  /** Somebody waits: asks for everything at once. */
  finish(query: Q): Promise<void> {
    return this.#ask(query, "full", this.#renewed().signal);
  }

  /** Nothing is wanted any more. */
  stop(): void {
    this.#current.abort();
    clearTimeout(this.#pause);
    this.#asking.busy(false);
  }

  #renewed(): AbortController {
    this.stop();
    this.#current = new AbortController();
    return this.#current;
  }

  async #ask(query: Q, stage: Stage, signal: AbortSignal): Promise<void> {
    if (stage === "full") {
      this.#asking.busy(true);
    }
    try {
      const answer = await this.#asking.ask(query, stage, signal);
      if (!signal.aborted) {
        this.#tell({ stage, answer });
      }
    } catch (error) {
      if (!signal.aborted && stage === "full") {
        this.#tell({ stage, error });
      }
    }
  }

  /** After the whole nothing else of this query is shown. */
  #tell(outcome: Outcome<A>): void {
    if (outcome.stage === "full") {
      this.stop();
    }
    this.#asking.show(outcome);
  }
}
