/** When a server that keeps dying is no longer started again. */

export const MOST_CRASHES = 4;
export const WITHIN_MS = 180_000;

/** Counts the ends of a server that nobody asked for. */
export class Crashes {
  #times: number[] = [];

  /** Notes a crash; whether the server is worth another start. */
  note(now: number): boolean {
    this.#times = [...this.#times.filter((time) => now - time < WITHIN_MS), now];
    return !this.isGivenUp;
  }

  /** Whether it has crashed too often. */
  get isGivenUp(): boolean {
    return this.#times.length > MOST_CRASHES;
  }

  forget(): void {
    this.#times = [];
  }
}
