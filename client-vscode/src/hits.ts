/** The answer that is on screen: its places by the ids that stand for them outside, in the order of reading. */

import { EventEmitter, commands } from "vscode";
import type { Answer, Range } from "./protocol";

/** A place to go to. */
export interface Place {
  readonly id: string;
  readonly uri: string;
  /** What is selected there. */
  readonly selection: Range;
  /** The whole chunk. */
  readonly range: Range;
}

/** Ten answers of fifty files, each with three further places. */
const MOST_PLACES = 2000;

/** Gives ids to the places of an answer; an id never stands for two places. */
export class Hits {
  readonly #selected = new EventEmitter<string>();
  /** F4 has moved on. */
  readonly onSelected = this.#selected.event;
  /** Those of earlier answers too: somebody may click while the next one is on its way. */
  #places = new Map<string, Place>();
  #order: string[] = [];
  #current = -1;
  #generation = 0;

  /** Takes a new answer; the prefix of its ids. */
  show(answer: Answer | undefined): string {
    this.#generation += 1;
    const prefix = `r${this.#generation}`;
    const places = answer?.hits.flatMap((hit, at) => placesOf(`${prefix}.${at}`, hit)) ?? [];
    const before = this.#places.get(this.current);
    this.#places = new Map([...this.#places, ...places.map((place) => [place.id, place] as const)].slice(-MOST_PLACES));
    this.#order = places.map((place) => place.id);
    this.#current = places.findIndex((place) => before !== undefined && isSame(place, before));
    void commands.executeCommand("setContext", "sightline.hasHits", places.length > 0);
    return prefix;
  }

  /** The place that an id stands for; none for an id of an answer that is gone. */
  get(id: string): Place | undefined {
    return this.#places.get(id);
  }

  /** The id of the place where somebody is; "" for none. */
  get current(): string {
    return this.#order[this.#current] ?? "";
  }

  /** Notes that somebody is at a place. */
  note(id: string): void {
    this.#current = this.#order.indexOf(id);
  }

  /** Goes on by `step`, from the last to the first. */
  move(step: 1 | -1): Place | undefined {
    const count = this.#order.length;
    if (count === 0) {
      return undefined;
    }
    const from = this.#current === -1 && step === -1 ? count : this.#current;
    this.#current = (from + step + count) % count;
    this.#selected.fire(this.current);
    return this.#places.get(this.current);
  }

  dispose(): void {
    this.#selected.dispose();
  }
}

function isSame(one: Place, other: Place): boolean {
  return one.uri === other.uri && one.selection.start.line === other.selection.start.line;
}

function placesOf(id: string, hit: Answer["hits"][number]): Place[] {
  const { uri, range, selectionRange: selection } = hit;
  const more = hit.more.map((each, at) => {
    const start = { start: each.range.start, end: each.range.start };
    return { id: `${id}.${at}`, uri, range: each.range, selection: start };
  });
  return [{ id, uri, range, selection }, ...more];
}
