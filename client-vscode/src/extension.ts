/** The extension: what it opens, in the order in which it is needed, and VS Code closes in reverse. */

import { commands, window, workspace, type ExtensionContext, type OutputChannel } from "vscode";
import { Painter } from "./colouring/painter";
import { registerCommands } from "./commands";
import { Hits } from "./hits";
import { History } from "./history";
import { Panel } from "./panel/panel";
import { References } from "./references";
import { Session } from "./session";
import { StatusItem } from "./status";

/** What the commands work with. */
export interface Sightline {
  readonly context: ExtensionContext;
  readonly session: Session;
  readonly hits: Hits;
  readonly history: History;
  readonly panel: Panel;
  readonly references: References;
  /** Where longer answers are written. */
  readonly report: OutputChannel;
}

export function activate(context: ExtensionContext): void {
  const log = window.createOutputChannel("Sightline", { log: true });
  const session = new Session(context, log);
  const hits = new Hits();
  const history = new History(context.workspaceState);
  const panel = new Panel(context, session, hits, history, new Painter(context, log));
  const references = new References(session);
  const report = window.createOutputChannel("Sightline Report");
  const sightline: Sightline = { context, session, hits, history, panel, references, report };
  context.subscriptions.push(
    log,
    report,
    session,
    hits,
    panel,
    new StatusItem(session),
    window.registerWebviewViewProvider(Panel.viewId, panel),
    ...registerCommands(sightline),
    session.onSimilarAsked((place) => void commands.executeCommand("sightline.findSimilar", place)),
    workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration("sightline.server")) {
        void session.restart();
      }
    }),
    workspace.onDidGrantWorkspaceTrust(() => void session.restart()),
  );
  // Not awaited: the editor starts without us, and whoever asks meanwhile waits for the server.
  void session.restart();
}
