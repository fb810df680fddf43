/** The status-bar item and its menu. */

import { StatusBarAlignment, ThemeColor, commands, window, type QuickPickItem, type StatusBarItem } from "vscode";
import type { Session } from "./session";
import { statusText } from "./statusText";

const COLOURS = {
  none: undefined,
  warning: new ThemeColor("statusBarItem.warningBackground"),
  error: new ThemeColor("statusBarItem.errorBackground"),
};

export class StatusItem {
  readonly #item: StatusBarItem = window.createStatusBarItem("sightline.status", StatusBarAlignment.Right, 90);

  constructor(session: Session) {
    this.#item.name = "Sightline";
    this.#item.command = "sightline.showMenu";
    session.context.subscriptions.push(
      session.onChanged(() => {
        this.#show(session);
      }),
    );
    this.#show(session);
    this.#item.show();
  }

  dispose(): void {
    this.#item.dispose();
  }

  #show(session: Session): void {
    const { text, tooltip, severity } = statusText(session.health);
    this.#item.text = text;
    this.#item.tooltip = tooltip;
    this.#item.backgroundColor = COLOURS[severity];
    this.#item.accessibilityInformation = { label: `${text.replace(/^\$\([^)]*\) /, "")}. ${tooltip}` };
  }
}

interface MenuItem extends QuickPickItem {
  readonly command: string;
}

const RUNNING: readonly MenuItem[] = [
  { label: "$(search) Search", command: "sightline.openPanel" },
  { label: "$(info) Show status", command: "sightline.showStatus" },
  { label: "$(question) Why is this file (not) indexed?", command: "sightline.whyNotIndexed" },
  { label: "$(refresh) Index again from scratch", command: "sightline.reindex" },
];
const ALWAYS: readonly MenuItem[] = [
  { label: "$(pulse) Run doctor", command: "sightline.runDoctor" },
  { label: "$(output) Show log", command: "sightline.showLog" },
  { label: "$(debug-restart) Restart server", command: "sightline.restartServer" },
];
const PAUSE: MenuItem = { label: "$(debug-pause) Pause indexing", command: "sightline.pauseIndexing" };
const RESUME: MenuItem = { label: "$(debug-continue) Resume indexing", command: "sightline.resumeIndexing" };
const INSTALL: MenuItem = { label: "$(cloud-download) Install server...", command: "sightline.installServer" };

export async function showMenu({ health }: Session): Promise<void> {
  const chosen = await window.showQuickPick(menuOf(health), { title: "Sightline", placeHolder: statusText(health).tooltip });
  if (chosen !== undefined) {
    await commands.executeCommand(chosen.command);
  }
}

function menuOf(health: Session["health"]): MenuItem[] {
  switch (health.kind) {
    case "running":
      return [...RUNNING, health.status?.phase === "paused" ? RESUME : PAUSE, ...ALWAYS];
    case "missing":
      return [INSTALL, ...ALWAYS.slice(1)];
    case "starting":
    case "stopped":
    case "failed":
      return [...ALWAYS];
  }
}
