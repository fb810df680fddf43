/** Search without leaving the keyboard: a list that follows the keys and shows each place while one moves. */

import { ThemeIcon, commands, window, type QuickInputButton, type QuickPick, type QuickPickItem, type TextEditor } from "vscode";
import { search } from "./asked";
import { LiveSearch, type Outcome } from "./asking";
import { searchSettings } from "./configuration";
import { refusal, telling } from "./failures";
import { iconOf } from "./icons";
import { open, type Way } from "./opening";
import { EMPTY_FORM } from "./panel/form";
import type { Answer, Hit } from "./protocol";
import type { Sightline } from "./extension";

interface HitItem extends QuickPickItem {
  readonly hit?: Hit;
}

const TO_SIDE: QuickInputButton = { iconPath: new ThemeIcon("split-horizontal"), tooltip: "Open to the Side" };
const SIMILAR: QuickInputButton = { iconPath: new ThemeIcon("references"), tooltip: "Find Similar Code" };
const TO_PANEL: QuickInputButton = { iconPath: new ThemeIcon("list-tree"), tooltip: "Show in the Panel" };

export function quickSearch(sightline: Sightline, initial = ""): void {
  new QuickSearch(sightline).show(initial);
}

class QuickSearch {
  readonly #pick: QuickPick<HitItem> = window.createQuickPick<HitItem>();
  readonly #live: LiveSearch<string, Answer>;
  readonly #before: TextEditor | undefined = window.activeTextEditor;
  readonly #selection = this.#before?.selection;
  /** The item that is active because it came first, not because somebody moved there. */
  #unasked: HitItem | undefined;
  #hasPreviewed = false;
  #isDone = false;

  constructor(private readonly sightline: Sightline) {
    this.#live = new LiveSearch({
      ask: (query, stage, signal) => search(sightline.session, { ...EMPTY_FORM, query }, stage, signal),
      show: (outcome) => {
        this.#list(outcome);
      },
      looksFirst: () => searchSettings().mode === "hybrid",
      busy: (isBusy) => {
        this.#pick.busy = isBusy;
      },
    });
    this.#pick.title = "Sightline";
    this.#pick.placeholder = "Ask what the code does, or type half a name; lang: kind: path: file: narrow";
    this.#pick.buttons = [TO_PANEL];
    this.#listen();
  }

  show(initial: string): void {
    this.#pick.show();
    if (initial !== "") {
      this.#pick.value = initial;
      this.#typed(initial);
    }
  }

  #listen(): void {
    const pick = this.#pick;
    pick.onDidChangeValue((value) => {
      this.#typed(value);
    });
    pick.onDidChangeActive(([item]) => {
      if (item?.hit !== undefined && item !== this.#unasked) {
        this.#hasPreviewed = true;
        const { hit } = item;
        void telling(() => this.#go(hit, "preview"));
      }
    });
    pick.onDidAccept(() => {
      void telling(() => this.#end(pick.activeItems[0]?.hit, "pin"));
    });
    pick.onDidTriggerItemButton(({ button, item }) => {
      void telling(() => (button === SIMILAR ? this.#similar(item.hit) : this.#end(item.hit, "side")));
    });
    pick.onDidTriggerButton(() => {
      void telling(() => this.#toPanel());
    });
    pick.onDidHide(() => {
      this.#live.stop();
      pick.dispose();
      void telling(() => this.#restore());
    });
  }

  #typed(value: string): void {
    if (value.trim() === "") {
      this.#live.stop();
      this.#pick.items = [];
    } else {
      this.#live.type(value);
    }
  }

  #list(outcome: Outcome<Answer>): void {
    if ("error" in outcome) {
      const { message, hint } = refusal(outcome.error);
      this.#pick.items = [{ label: `$(warning) ${message}`, detail: hint, alwaysShow: true }];
      return;
    }
    const items = outcome.answer.hits.map(itemOf);
    const detail = outcome.answer.degraded.map(({ message }) => message).join("; ");
    const none: HitItem[] = outcome.stage === "full" ? [{ label: "Nothing was found", detail, alwaysShow: true }] : [];
    this.#unasked = items[0];
    this.#pick.items = items.length > 0 ? items : none;
  }

  async #end(hit: Hit | undefined, way: Way): Promise<void> {
    if (hit === undefined) {
      return;
    }
    this.#isDone = true;
    const query = this.#pick.value;
    this.#pick.hide();
    await this.#go(hit, way);
    await this.sightline.history.add({ ...EMPTY_FORM, query });
  }

  async #similar(hit: Hit | undefined): Promise<void> {
    if (hit !== undefined) {
      this.#pick.hide();
      await commands.executeCommand("sightline.findSimilar", { textDocument: { uri: hit.uri }, range: hit.range });
    }
  }

  async #toPanel(): Promise<void> {
    const query = this.#pick.value;
    this.#pick.hide();
    await this.sightline.panel.search({ ...EMPTY_FORM, query });
  }

  async #go(hit: Hit, way: Way): Promise<void> {
    await open({ uri: hit.uri, selection: hit.selectionRange }, way);
  }

  /** Whoever only looked finds the editor as it was. */
  async #restore(): Promise<void> {
    if (this.#isDone || this.#before === undefined || !this.#hasPreviewed) {
      return;
    }
    const { document, viewColumn } = this.#before;
    await window.showTextDocument(document, {
      ...(viewColumn === undefined ? {} : { viewColumn }),
      ...(this.#selection === undefined ? {} : { selection: this.#selection }),
    });
  }
}

/** Our order holds, and nothing is left out: VS Code's own filter knows only letters. */
function itemOf(hit: Hit): HitItem {
  const line = hit.selectionRange.start.line;
  const shown = hit.snippet.split("\n")[line - hit.snippetLine] ?? "";
  return {
    hit,
    label: hit.symbol || (hit.path.split("/").at(-1) ?? hit.path),
    description: `${hit.path}:${line + 1}  ${hit.label}`,
    detail: shown.trim(),
    iconPath: iconOf(hit.kind),
    buttons: [TO_SIDE, SIMILAR],
    alwaysShow: true,
  };
}
