/** The search panel, the extension's side of it: what the page asks is done here, and here is what it shows. */

import {
  Uri,
  commands,
  window,
  workspace,
  type ExtensionContext,
  type WebviewView,
  type WebviewViewProvider,
} from "vscode";
import { search, similar } from "../asked";
import { LiveSearch, type Outcome } from "../asking";
import type { Painter } from "../colouring/painter";
import { searchSettings } from "../configuration";
import { refusal, telling } from "../failures";
import type { Hits } from "../hits";
import type { History } from "../history";
import { open, type Way } from "../opening";
import type { Answer, SimilarParams } from "../protocol";
import type { Health, Session } from "../session";
import { isNarrowed, isSame, type Form } from "./form";
import { html } from "./html";
import { readMessage, type AnswerView, type FromPage, type ToPage } from "./messages";
import { noticeOf } from "./notices";
import { toView } from "./viewing";

/** What is searched for: a form, or code like some place. */
type Query = { readonly form: Form } | { readonly place: SimilarParams; readonly title: string };

/** How soon half an answer is asked for again. */
const AGAIN_MS = 2000;

export class Panel implements WebviewViewProvider {
  static readonly viewId = "sightline.panel";
  readonly #live: LiveSearch<Query, Answer>;
  #view: WebviewView | undefined;
  #form: Form | undefined;
  #query: Query | undefined;
  #answer: AnswerView | undefined;
  #again: ReturnType<typeof setTimeout> | undefined;
  /** The answer lacks something that will come. */
  #isProvisional = false;
  #wantsFocus = false;

  constructor(
    private readonly context: ExtensionContext,
    private readonly session: Session,
    private readonly hits: Hits,
    private readonly history: History,
    private readonly painter: Painter,
  ) {
    this.#live = new LiveSearch({
      ask: (query, stage, signal) =>
        "form" in query ? search(session, query.form, stage, signal) : similar(session, query.place, signal),
      show: (outcome) => {
        this.#show(outcome);
      },
      looksFirst: () => searchSettings().mode === "hybrid",
      busy: (isBusy) => {
        this.#post({ type: "busy", isBusy });
      },
    });
    context.subscriptions.push(
      session.onChanged((health) => {
        this.#tellHealth(health);
      }),
      hits.onSelected((id) => {
        this.#post({ type: "select", id });
      }),
      history.onChanged(() => {
        this.#post({ type: "searches", searches: history.searches });
      }),
      workspace.onDidChangeWorkspaceFolders(() => {
        this.#tellChoices();
      }),
      window.onDidChangeActiveColorTheme(() => void this.#paint(this.#answer)),
    );
  }

  resolveWebviewView(view: WebviewView): void {
    this.#view = view;
    const { webview } = view;
    const { extensionUri } = this.context;
    webview.options = { enableScripts: true, localResourceRoots: ["dist", "media"].map((name) => Uri.joinPath(extensionUri, name)) };
    webview.html = html(webview, extensionUri);
    webview.onDidReceiveMessage((value: unknown) => {
      const message = readMessage(value);
      if (message !== undefined) {
        void telling(() => this.#receive(message));
      }
    });
    view.onDidDispose(() => {
      this.#view = undefined;
      this.#live.stop();
    });
  }

  /** Brings the panel to the front, with the cursor in its query. */
  async focus(): Promise<void> {
    this.#wantsFocus = this.#view?.visible !== true; // a page that is still to come takes it when it is there
    await commands.executeCommand(`${Panel.viewId}.focus`);
    this.#post({ type: "focus" });
  }

  /** Searches for a form, as if somebody had filled it in. */
  async search(form: Form): Promise<void> {
    this.#form = form;
    this.#post({ type: "form", form });
    await commands.executeCommand(`${Panel.viewId}.focus`);
    await this.#ask({ form });
  }

  /** Shows what is like a place. */
  async showSimilar(place: SimilarParams, title: string): Promise<void> {
    await commands.executeCommand(`${Panel.viewId}.focus`);
    await this.#ask({ place, title });
  }

  dispose(): void {
    clearTimeout(this.#again);
    this.#live.stop();
  }

  async #receive(message: FromPage): Promise<void> {
    switch (message.type) {
      case "ready":
        return this.#greet(message.form);
      case "search":
        if (message.isFinal) {
          await this.history.add(message.form);
        }
        return this.#typed(message.form, message.isFinal);
      case "open":
        return this.#open(message.id, message.way);
      case "similar":
        return this.#similarTo(message.id);
      case "pin":
        return this.history.togglePin(message.form);
      case "forget":
        return this.history.forget(message.form);
      case "act":
        return this.#act(message.id);
    }
  }

  /** The page is new: what it held itself counts only where we hold nothing. */
  async #greet(form: Form): Promise<void> {
    const kept = this.#form ?? form;
    if (!isSame(kept, form)) {
      this.#post({ type: "form", form: kept }); // not always: somebody may be typing by the time it arrives
    }
    this.#tellChoices();
    this.#post({ type: "searches", searches: this.history.searches });
    this.#tellHealth(this.session.health);
    if (this.#wantsFocus) {
      this.#wantsFocus = false;
      this.#post({ type: "focus" });
    }
    if (this.#answer !== undefined) {
      this.#tellAnswer();
    } else if (this.#query !== undefined) {
      await this.#ask(this.#query);
    } else {
      await this.#typed(kept, true);
    }
  }

  async #typed(form: Form, isFinal: boolean): Promise<void> {
    this.#form = form;
    if (form.query.trim() === "" && !isNarrowed(form)) {
      this.#live.stop();
      this.#put(undefined);
    } else if (isFinal) {
      await this.#ask({ form });
    } else {
      this.#query = { form };
      this.#live.type(this.#query);
    }
  }

  #ask(query: Query): Promise<void> {
    this.#query = query;
    return this.#live.finish(query);
  }

  #show(outcome: Outcome<Answer>): void {
    if ("error" in outcome) {
      // What was found before stays: half a filter is an error, and the next key mends it.
      this.#isProvisional = true;
      this.#post({ type: "error", ...refusal(outcome.error) });
    } else {
      this.#put(outcome.answer, outcome.stage === "full");
    }
  }

  #put(answer: Answer | undefined, isFinal = true): void {
    const prefix = this.hits.show(answer);
    this.#isProvisional = answer?.complete === false;
    const several = (workspace.workspaceFolders?.length ?? 0) > 1;
    const title = this.#query !== undefined && "title" in this.#query ? this.#query.title : "";
    this.#answer = answer && toView(answer, { prefix, isFinal, title, folderName: several ? folderName : () => "" });
    this.#tellAnswer();
    this.#askAgainLater();
  }

  /** The index may have become whole while an answer was on its way: nobody tells of that any more. */
  #askAgainLater(): void {
    clearTimeout(this.#again);
    if (this.#isProvisional) {
      this.#again = setTimeout(() => {
        this.#catchUp(this.session.health);
      }, AGAIN_MS);
    }
  }

  #tellAnswer(): void {
    this.#post({ type: "answer", answer: this.#answer });
    if (this.hits.current !== "") {
      this.#post({ type: "select", id: this.hits.current });
    }
    void this.#paint(this.#answer);
  }

  /** Colours the snippets, as long as they are on screen. */
  async #paint(answer: AnswerView | undefined): Promise<void> {
    for (const file of answer?.files ?? []) {
      for (const hit of file.hits.filter(({ lines }) => lines.length > 0)) {
        const paints = await this.painter.paint(hit.lines.map(({ text }) => text), file.language);
        if (answer !== this.#answer) {
          return;
        }
        this.#post({ type: "paints", id: hit.id, paints });
      }
    }
  }

  async #open(id: string, way: Way): Promise<void> {
    const place = this.hits.get(id);
    if (place === undefined) {
      return; // of an answer that is gone
    }
    this.hits.note(id);
    await open(place, way);
    if (this.#form !== undefined) {
      await this.history.add(this.#form);
    }
  }

  async #similarTo(id: string): Promise<void> {
    const place = this.hits.get(id);
    if (place !== undefined) {
      await commands.executeCommand("sightline.findSimilar", { textDocument: { uri: place.uri }, range: place.range });
    }
  }

  /** Only what the notice offers can be done. */
  async #act(id: string): Promise<void> {
    if (noticeOf(this.session.health)?.actions.some((action) => action.id === id)) {
      await commands.executeCommand(id);
    }
  }

  #tellHealth(health: Health): void {
    this.#post({ type: "notice", notice: noticeOf(health) });
    if (health.kind === "running") {
      this.#tellChoices();
    }
    this.#catchUp(health);
  }

  /** An answer of half an index is asked for again when the index is whole, or where the server was gone. */
  #catchUp(health: Health): void {
    const isIdle = health.kind === "running" && health.status?.phase === "idle";
    if (isIdle && this.#query !== undefined && this.#isProvisional) {
      this.#isProvisional = false;
      void this.#ask(this.#query);
    }
  }

  #tellChoices(): void {
    const { languages = [], kinds = [] } = this.session.abilities ?? {};
    const folders = (workspace.workspaceFolders ?? []).map(({ name }, at) => ({ id: String(at), label: name }));
    this.#post({ type: "choices", folders, languages, kinds });
  }

  #post(message: ToPage): void {
    void this.#view?.webview.postMessage(message);
  }
}

function folderName(uri: string): string {
  return workspace.getWorkspaceFolder(Uri.parse(uri))?.name ?? "";
}
