/** The searches of this workspace: the latest, and those that somebody pinned. */

import { EventEmitter, type Memento } from "vscode";
import type { Form } from "./panel/form";
import type { SavedSearch } from "./panel/messages";
import { pinned, readSearches, remembered, forgotten } from "./remembering";

const KEY = "searches";

export class History {
  readonly #changed = new EventEmitter<void>();
  readonly onChanged = this.#changed.event;

  constructor(private readonly memento: Memento) {}

  /** Pinned ones first, then the latest. */
  get searches(): SavedSearch[] {
    return readSearches(this.memento.get(KEY));
  }

  add(form: Form): Thenable<void> {
    return this.#keep(remembered(this.searches, form));
  }

  /** Pins a search, or lets it go. */
  togglePin(form: Form): Thenable<void> {
    return this.#keep(pinned(this.searches, form));
  }

  forget(form: Form): Thenable<void> {
    return this.#keep(forgotten(this.searches, form));
  }

  /** Forgets all but the pinned ones. */
  clear(): Thenable<void> {
    return this.#keep(this.searches.filter((each) => each.isPinned));
  }

  async #keep(searches: readonly SavedSearch[]): Promise<void> {
    await this.memento.update(KEY, searches);
    this.#changed.fire();
  }
}
