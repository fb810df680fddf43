/** The list below the query box, of what the word at the cursor may become. */

import { complete, type Completion, type Vocabulary } from "../completing";
import { byId, make } from "./elements";

export class Completions {
  readonly #list = byId("completions");
  #vocabulary: Vocabulary = { languages: [], kinds: [] };
  #found: Completion[] = [];
  /** None at first: Enter searches, as long as nobody has gone down the list. */
  #active = -1;

  constructor(
    private readonly input: HTMLInputElement,
    private readonly changed: () => void,
  ) {
    input.addEventListener("input", () => {
      this.#open();
    });
    input.addEventListener("blur", () => {
      this.#close();
    });
    // Before the click takes the focus from the input.
    this.#list.addEventListener("mousedown", (event) => {
      event.preventDefault();
      const at = (event.target as Element).closest("li")?.dataset["at"];
      if (at !== undefined) {
        this.#accept(Number(at));
      }
    });
  }

  know(vocabulary: Vocabulary): void {
    this.#vocabulary = vocabulary;
  }

  /** Whether a key was ours. */
  key(event: KeyboardEvent): boolean {
    if (this.#found.length === 0 || event.altKey || event.ctrlKey || event.metaKey) {
      return false;
    }
    switch (event.key) {
      case "ArrowDown":
        this.#activate(this.#active + 1);
        break;
      case "ArrowUp":
        this.#activate(Math.max(0, this.#active) - 1);
        break;
      case "Tab":
        this.#accept(Math.max(0, this.#active));
        break;
      case "Enter":
        if (this.#active === -1) {
          this.#close();
          return false;
        }
        this.#accept(this.#active);
        break;
      case "Escape":
        this.#close();
        break;
      default:
        return false;
    }
    event.preventDefault();
    return true;
  }

  #open(): void {
    const { value, selectionStart, selectionEnd } = this.input;
    const isCursor = selectionStart !== null && selectionStart === selectionEnd;
    this.#found = isCursor ? complete(value, selectionStart, this.#vocabulary) : [];
    this.#list.replaceChildren(...this.#found.map(row));
    this.#list.hidden = this.#found.length === 0;
    this.input.setAttribute("aria-expanded", String(!this.#list.hidden));
    this.input.removeAttribute("aria-activedescendant");
    this.#active = -1;
  }

  #close(): void {
    this.#found = [];
    this.#list.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
  }

  #activate(at: number): void {
    const count = this.#found.length;
    this.#active = (at + count) % count;
    for (const [index, element] of [...this.#list.children].entries()) {
      element.setAttribute("aria-selected", String(index === this.#active));
    }
    this.input.setAttribute("aria-activedescendant", `completion-${this.#active}`);
  }

  #accept(at: number): void {
    const chosen = this.#found[at];
    if (chosen !== undefined) {
      this.input.value = chosen.text;
      this.input.setSelectionRange(chosen.cursor, chosen.cursor);
      this.#close();
      this.changed();
    }
  }
}

function row({ label, hint }: Completion, at: number): HTMLElement {
  const attributes = { id: `completion-${at}`, role: "option", "data-at": String(at), "aria-selected": "false" };
  return make("li", attributes, label, make("span", { class: "hint" }, hint));
}
