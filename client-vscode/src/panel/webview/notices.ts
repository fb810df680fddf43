/** What the page says beside the results: the server's state, errors, that it is searching. */

import type { FromPage, Notice } from "../messages";
import { byId, make } from "./elements";

export class Notices {
  constructor(private readonly tell: (message: FromPage) => void) {}

  notice(notice: Notice | undefined): void {
    const element = byId("notice");
    element.hidden = notice === undefined;
    const buttons = (notice?.actions ?? []).map(({ id, label }) => {
      const button = make("button", { "data-action": id, type: "button" }, label);
      button.addEventListener("click", () => {
        this.tell({ type: "act", id });
      });
      return button;
    });
    element.replaceChildren(make("p", {}, notice?.text ?? ""), ...buttons);
  }

  error(error: { readonly message: string; readonly hint: string } | undefined): void {
    const element = byId("error");
    element.hidden = error === undefined;
    byId("results").classList.toggle("stale", error !== undefined);
    element.replaceChildren(make("p", {}, error?.message ?? ""), make("p", { class: "hint" }, error?.hint ?? ""));
  }

  busy(isBusy: boolean): void {
    byId("busy").hidden = !isBusy;
  }
}
