/** What we offer where there is no server, or none that works; nothing is fetched before somebody clicks. */

import { join } from "node:path";
import {
  ConfigurationTarget,
  ProcessExecution,
  Task,
  TaskScope,
  commands,
  tasks,
  window,
  workspace,
  type Disposable,
  type ExtensionContext,
} from "vscode";
import { interpreters, inVenv, onPath, ownFolder } from "./machine";

const UVX = "Run with uvx";
const PIP = "Install with pip";
const CHOOSE = "Choose...";
const LOG = "Show Log";
const AGAIN = "Restart";
const OFFERED = "installOffered";

/** Who gets the server. */
interface Client {
  /** The one that was found, if any. */
  readonly command: readonly string[] | undefined;
  readonly context: ExtensionContext;
  restart(): Promise<void>;
}

/** The package, of the version that this extension was made with. */
export function requirement(version: string): string {
  return `sightline-ls==${version}`;
}

/** As `offerInstall`, for the first window of a version: the panel and the status bar say it ever after. */
export async function offerInstallOnce(client: Client): Promise<void> {
  const { globalState } = client.context;
  const version = versionOf(client.context);
  if (globalState.get(OFFERED) !== version) {
    await globalState.update(OFFERED, version);
    await offerInstall(client);
  }
}

/** Says that there is no server, and installs one after a click. */
export async function offerInstall(client: Client): Promise<void> {
  const wanted = requirement(versionOf(client.context));
  const state = client.command === undefined ? "not installed" : `there: ${client.command.join(" ")}`;
  const said = `Sightline's server is ${state}. It is the Python package ${wanted} (Python 3.11 or later).`;
  const uvx = await onPath("uvx");
  const choice = await window.showWarningMessage(said, ...(uvx === undefined ? [] : [UVX]), PIP, CHOOSE);
  switch (choice) {
    case UVX:
      await use(["uvx", "--from", wanted, "sightline"]);
      break;
    case PIP:
      await install(client, wanted);
      break;
    case CHOOSE:
      await choose();
      break;
    case undefined:
      break; // not now
  }
}

/** Says why the server does not run. */
export async function offerFailure(client: Client, message: string): Promise<void> {
  const choice = await window.showErrorMessage(`Sightline: ${message}`, LOG, AGAIN);
  if (choice === LOG) {
    await commands.executeCommand("sightline.showLog");
  } else if (choice === AGAIN) {
    await client.restart();
  }
}

function versionOf(context: ExtensionContext): string {
  return (context.extension.packageJSON as { version: string }).version;
}

/** The setting starts the server anew. */
async function use(command: readonly string[]): Promise<void> {
  await workspace.getConfiguration("sightline.server").update("command", command, ConfigurationTarget.Global);
}

async function choose(): Promise<void> {
  const found = await window.showOpenDialog({ title: "The program sightline", openLabel: "Use" });
  if (found?.[0] !== undefined) {
    await use([found[0].fsPath]);
  }
}

/** A virtual environment of our own: many systems refuse to install into theirs. */
async function install(client: Client, wanted: string): Promise<void> {
  const python = (await interpreters())[0] ?? (await onPath("python3")) ?? (await onPath("python"));
  if (python === undefined) {
    void window.showErrorMessage("Sightline: there is no Python on the PATH. Install Python 3.11 or later first.");
    return;
  }
  const folder = ownFolder(client.context);
  const own = join(folder, ...inVenv("python"));
  const isMade = await succeeds("Make an environment", python, ["-m", "venv", folder]);
  if (isMade && (await succeeds(`Install ${wanted}`, own, ["-m", "pip", "install", "--upgrade", wanted]))) {
    await client.restart();
  }
}

/** Runs a task in the terminal, where its output can be read; whether it ended well. */
async function succeeds(name: string, program: string, words: string[]): Promise<boolean> {
  const task = new Task({ type: "sightline" }, TaskScope.Workspace, name, "Sightline", new ProcessExecution(program, words));
  const execution = await tasks.executeTask(task);
  return new Promise((resolve) => {
    const listener: Disposable = tasks.onDidEndTaskProcess((event) => {
      if (event.execution === execution) {
        listener.dispose();
        resolve(event.exitCode === 0);
      }
    });
  });
}
