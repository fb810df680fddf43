/** The form's fields: reads them, fills them, and tells of every change. */

import { isNarrowed, isSame, type Form } from "../form";
import type { SavedSearch, ToPage } from "../messages";
import { Completions } from "./completions";
import { byId, make } from "./elements";

interface Owner {
  /** Something else is asked for; `isFinal` where nobody is typing. */
  changed(isFinal: boolean): void;
  /** The way down, from the query to the results. */
  down(): void;
  pin(): void;
  listSearches(isWanted: boolean): void;
  /** An earlier search, or a later one. */
  recall(step: 1 | -1): Form | undefined;
}

/** What we use of the elements that hold a value. */
type Field = HTMLElement & { value: string };
type Several = HTMLElement & { value: string[] };
type Toggle = HTMLElement & { checked: boolean; icon: string; label: string };
type Choices = Extract<ToPage, { type: "choices" }>;

export class FormView {
  readonly #query = byId<HTMLInputElement>("query");
  readonly #languages = byId<Several>("languages");
  readonly #kinds = byId<Several>("kinds");
  readonly #include = byId<Field>("include");
  readonly #exclude = byId<Field>("exclude");
  readonly #folder = byId<Field>("folder");
  readonly #pin = byId<Toggle>("pin");
  readonly #history = byId<Toggle>("history");
  readonly #filters = byId<Toggle>("filters");
  readonly #completions: Completions;
  #saved: readonly SavedSearch[] = [];
  #wanted: Pick<Form, "languages" | "kinds" | "folder"> = { languages: [], kinds: [], folder: "" };

  constructor(private readonly owner: Owner) {
    this.#completions = new Completions(this.#query, () => {
      this.#changed(false);
    });
    this.#listen();
  }

  get value(): Form {
    return {
      query: this.#query.value,
      languages: this.#wanted.languages,
      kinds: this.#wanted.kinds,
      include: this.#include.value,
      exclude: this.#exclude.value,
      folder: this.#wanted.folder,
    };
  }

  set(form: Form): void {
    this.#query.value = form.query;
    this.#include.value = form.include;
    this.#exclude.value = form.exclude;
    this.#wanted = { languages: form.languages, kinds: form.kinds, folder: form.folder };
    this.#fill();
    if (isNarrowed(form)) {
      this.#showFilters(true);
    }
    this.#markPinned();
  }

  /** Asks for what the form says. */
  finish(): void {
    this.#showSearches(false);
    this.#changed(true);
  }

  focus(): void {
    this.#query.focus();
    this.#query.select();
  }

  /** What can be chosen; what is chosen stays, also where it is offered only later. */
  offer({ languages, kinds, folders }: Choices): void {
    this.#completions.know({ languages, kinds });
    const option = (value: string, text = value): HTMLElement => make("vscode-option", { value }, text);
    this.#languages.replaceChildren(...languages.map((each) => option(each)));
    this.#kinds.replaceChildren(...kinds.map((each) => option(each)));
    this.#folder.replaceChildren(option("", "All folders"), ...folders.map(({ id, label }) => option(id, label)));
    byId("folder-field").hidden = folders.length < 2;
    this.#fill();
  }

  setPinned(searches: readonly SavedSearch[]): void {
    this.#saved = searches;
    this.#markPinned();
  }

  #fill(): void {
    this.#languages.value = [...this.#wanted.languages];
    this.#kinds.value = [...this.#wanted.kinds];
    this.#folder.value = this.#wanted.folder;
  }

  #listen(): void {
    this.#query.addEventListener("input", () => {
      this.#changed(false);
    });
    this.#query.addEventListener("keydown", (event) => {
      this.#key(event);
    });
    for (const field of [this.#include, this.#exclude]) {
      field.addEventListener("input", () => {
        this.#changed(false);
      });
    }
    for (const field of [this.#languages, this.#kinds, this.#folder]) {
      field.addEventListener("change", () => {
        this.#wanted = { languages: this.#languages.value, kinds: this.#kinds.value, folder: this.#folder.value };
        this.#changed(true);
      });
    }
    for (const field of [this.#languages, this.#kinds]) {
      // Or the field loses the focus and forgets what was typed, and another option is below the mouse when it is let go.
      field.addEventListener("mousedown", (event) => {
        if (event.composedPath().some((each) => each instanceof HTMLLIElement)) {
          event.preventDefault();
        }
      });
    }
    this.#pin.addEventListener("click", () => {
      this.owner.pin();
    });
    this.#history.addEventListener("change", () => {
      this.owner.listSearches(this.#history.checked);
    });
    this.#filters.addEventListener("change", () => {
      this.#showFilters(this.#filters.checked);
    });
  }

  #key(event: KeyboardEvent): void {
    if (this.#completions.key(event)) {
      return;
    }
    const isUp = event.key === "ArrowUp";
    if (event.altKey && (isUp || event.key === "ArrowDown")) {
      const form = this.owner.recall(isUp ? 1 : -1);
      if (form !== undefined) {
        this.set(form);
        this.finish();
      }
    } else if (event.key === "ArrowDown") {
      this.owner.down();
    } else if (event.key === "Enter") {
      this.finish();
    } else {
      return;
    }
    event.preventDefault();
  }

  #changed(isFinal: boolean): void {
    this.#showSearches(false);
    this.#markPinned();
    this.owner.changed(isFinal);
  }

  #showSearches(isWanted: boolean): void {
    this.#history.checked = isWanted;
    this.owner.listSearches(isWanted);
  }

  #showFilters(isWanted: boolean): void {
    this.#filters.checked = isWanted;
    byId("narrowing").hidden = !isWanted;
  }

  #markPinned(): void {
    const isPinned = this.#saved.some((each) => each.isPinned && isSame(each.form, this.value));
    this.#pin.checked = isPinned;
    this.#pin.icon = isPinned ? "pinned" : "pin";
    this.#pin.label = isPinned ? "Unpin this search" : "Pin this search";
  }
}
