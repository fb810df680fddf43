/** The panel's page: what is typed and clicked goes to the extension, what the extension shows comes back. */

import "@vscode-elements/elements/dist/vscode-icon/index.js";
import "@vscode-elements/elements/dist/vscode-label/index.js";
import "@vscode-elements/elements/dist/vscode-multi-select/index.js";
import "@vscode-elements/elements/dist/vscode-option/index.js";
import "@vscode-elements/elements/dist/vscode-progress-bar/index.js";
import "@vscode-elements/elements/dist/vscode-single-select/index.js";
import "@vscode-elements/elements/dist/vscode-textfield/index.js";
import "@vscode-elements/elements/dist/vscode-toolbar-button/index.js";
import type { FromPage, ToPage } from "../messages";
import { EMPTY_FORM, readForm } from "../form";
import { FormView } from "./formView";
import { Notices } from "./notices";
import { ResultTree } from "./resultTree";
import { Searches } from "./searches";

interface Api {
  postMessage(message: FromPage): void;
  getState(): unknown;
  setState(state: unknown): void;
}

declare function acquireVsCodeApi(): Api;

const api = acquireVsCodeApi();
const tell = (message: FromPage): void => {
  api.postMessage(message);
};
const form: FormView = new FormView({
  changed: (isFinal) => {
    api.setState(form.value);
    tell({ type: "search", form: form.value, isFinal });
  },
  down: () => {
    results.focus();
  },
  pin: () => {
    tell({ type: "pin", form: form.value });
  },
  listSearches: (isWanted) => {
    searches.show(isWanted);
  },
  recall: (step) => searches.recall(form.value, step),
});
const results: ResultTree = new ResultTree({ tell, up: () => {
  form.focus();
} });
const notices = new Notices(tell);
const searches: Searches = new Searches({
  tell,
  choose: (chosen) => {
    form.set(chosen);
    form.finish();
  },
});

function receive(message: ToPage): void {
  switch (message.type) {
    case "form":
      form.set(message.form);
      api.setState(message.form);
      break;
    case "choices":
      form.offer(message);
      break;
    case "searches":
      searches.set(message.searches);
      form.setPinned(message.searches);
      break;
    case "answer":
      notices.error(undefined);
      results.show(message.answer);
      break;
    case "error":
      notices.error(message);
      break;
    case "paints":
      results.paint(message.id, message.paints);
      break;
    case "busy":
      notices.busy(message.isBusy);
      break;
    case "notice":
      notices.notice(message.notice);
      break;
    case "select":
      results.select(message.id);
      break;
    case "focus":
      form.focus();
      break;
  }
}

// Only the extension can post here: the page has no frames, and its parent is the workbench.
window.addEventListener("message", (event: MessageEvent<ToPage>) => {
  receive(event.data);
});
// Somebody quick may have typed before this script ran.
if (form.value.query === "") {
  form.set(readForm(api.getState()) ?? EMPTY_FORM);
}
tell({ type: "ready", form: form.value });
