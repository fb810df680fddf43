/** The search panel of a window: what its page calls things is in src/panel/html.ts. */

import type { Locator } from "playwright-core";
import type { Workbench } from "./workbench.ts";

export class Panel {
  readonly #window: Workbench;

  constructor(window: Workbench) {
    this.#window = window;
  }

  /** By the mouse, on the activity bar. */
  async open(): Promise<void> {
    await this.#window.page.locator('.activitybar a.action-label[aria-label^="Sightline"]').click();
    await this.query.waitFor();
  }

  get query(): Locator {
    return this.at("#query");
  }

  get files(): Locator {
    return this.at("#results .file");
  }

  at(selector: string): Locator {
    return this.#window.panel.locator(selector);
  }

  file(name: string): Locator {
    return this.files.filter({ has: this.at(`.header .name:text-is("${name}")`) }).first();
  }

  /** The best place in a file. */
  hit(file: string): Locator {
    return this.file(file).locator(".hit").first();
  }

  /** Types a query and waits for the whole answer to it. */
  async search(text: string): Promise<void> {
    await this.forget();
    await this.query.fill(text);
    await this.isFull();
  }

  /** Lets the next answer be told from this one. */
  async forget(): Promise<void> {
    await this.at("#summary").evaluate((element) => {
      element.dataset["stage"] = "";
    });
  }

  async isFull(): Promise<void> {
    await this.at('#summary[data-stage="full"]').waitFor();
  }

  /** Chooses, or no longer, in one of the form's lists. */
  async choose(list: string, text: string): Promise<void> {
    await this.at(list).locator("input").fill(text);
    await this.at(list).locator("li", { hasText: new RegExp(`^\\s*${text}\\s*$`) }).click();
    await this.at(list).locator("input").press("Escape");
  }

  /** The line that an answer names, from 1. */
  async lineOf(hit: Locator): Promise<number> {
    return Number(await hit.getAttribute("data-line"));
  }

  async names(): Promise<string[]> {
    return this.files.locator(".header .name").allInnerTexts();
  }
}
