/** The list of earlier and pinned searches. */

import { isSame, summary, type Form } from "../form";
import type { FromPage, SavedSearch } from "../messages";
import { byId, make } from "./elements";

interface Owner {
  tell(message: FromPage): void;
  choose(form: Form): void;
}

export class Searches {
  #searches: readonly SavedSearch[] = [];

  constructor(private readonly owner: Owner) {}

  set(searches: readonly SavedSearch[]): void {
    this.#searches = searches;
    const list = byId("searches");
    const pinned = searches.filter((each) => each.isPinned);
    const recent = searches.filter((each) => !each.isPinned);
    list.replaceChildren(...this.#section("Pinned", pinned), ...this.#section("Recent", recent));
    if (searches.length === 0) {
      list.append(make("p", { class: "hint" }, "No searches yet."));
    }
  }

  show(isWanted: boolean): void {
    byId("searches").hidden = !isWanted;
    byId("results").hidden = isWanted;
  }

  /** The search before or after this one. */
  recall(form: Form, step: 1 | -1): Form | undefined {
    const at = this.#searches.findIndex((each) => isSame(each.form, form));
    return this.#searches[at + step]?.form;
  }

  #section(title: string, searches: readonly SavedSearch[]): HTMLElement[] {
    if (searches.length === 0) {
      return [];
    }
    return [make("h2", {}, title), make("ul", { "aria-label": title }, ...searches.map((each) => this.#row(each)))];
  }

  #row({ form, isPinned }: SavedSearch): HTMLElement {
    const text = summary(form);
    const search = make("button", { class: "saved", type: "button", title: text }, text);
    search.addEventListener("click", () => {
      this.owner.choose(form);
    });
    const pin = this.#button(isPinned ? "pinned" : "pin", isPinned ? `Unpin ${text}` : `Pin ${text}`, { type: "pin", form });
    const forget = this.#button("close", `Forget ${text}`, { type: "forget", form });
    return make("li", { class: "row" }, search, pin, forget);
  }

  #button(icon: string, label: string, message: FromPage): HTMLElement {
    const button = make("vscode-toolbar-button", { icon, label, title: label });
    button.addEventListener("click", () => {
      this.owner.tell(message);
    });
    return button;
  }
}
