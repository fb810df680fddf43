/** The language client: how the server is started, what it is told, and what we answer in its place. */

import { workspace, type LogOutputChannel } from "vscode";
import {
  CloseAction,
  ErrorAction,
  LanguageClient,
  RevealOutputChannelOn,
  State,
  type Executable,
  type LanguageClientOptions,
} from "vscode-languageclient/node";
import { chosenSettings } from "./configuration";
import type { SimilarParams, StatusChanged } from "./protocol";

/** The server's command for editors that cannot show an answer; we can. */
const SHOW_SIMILAR = "sightline.showSimilar";

/** What the client asks of its session. */
export interface Owner {
  readonly log: LogOutputChannel;
  /** Where the server runs: not in the workspace, whose files Python would take for modules. */
  readonly folder: string;
  /** The server is gone and nobody asked it to go; whether to start it again. */
  crashed(): boolean;
  /** It is being started, by us or again after a crash, or answers from now on. */
  moved(state: "starting" | "running"): void;
  told(status: StatusChanged): void;
  /** Somebody chose the code action. */
  showSimilar(place: SimilarParams): void;
}

export function makeClient(command: readonly [string, ...string[]], owner: Owner): LanguageClient {
  const [program, ...words] = command;
  const server: Executable = { command: program, args: [...words, "serve"], options: { cwd: owner.folder } };
  const client = new QuietClient("sightline", "Sightline", { run: server, debug: server }, options(owner));
  client.onNotification("sightline/statusChanged", (status: StatusChanged) => {
    owner.told(status);
  });
  client.onDidChangeState(({ newState }) => {
    if (newState === State.Starting || newState === State.Running) {
      owner.moved(newState === State.Starting ? "starting" : "running");
    }
  });
  return client;
}

/** Its errors go to the log alone: the session tells, once, what somebody has to know. */
class QuietClient extends LanguageClient {
  override error(message: string, data?: unknown): void {
    super.error(message, data, false);
  }
}

function options(owner: Owner): LanguageClientOptions {
  return {
    documentSelector: [{ scheme: "file" }],
    outputChannel: owner.log,
    revealOutputChannelOn: RevealOutputChannelOn.Never,
    initializationFailedHandler: () => false,
    errorHandler: {
      error: () => ({ action: ErrorAction.Continue, handled: true }),
      closed: () => ({ action: owner.crashed() ? CloseAction.Restart : CloseAction.DoNotRestart, handled: true }),
    },
    middleware: {
      executeCommand: (name, words: unknown[], next) => {
        if (name !== SHOW_SIMILAR) {
          return next(name, words) as unknown;
        }
        owner.showSimilar(words[0] as SimilarParams);
        return undefined;
      },
      workspace: {
        configuration: (params) =>
          params.items.map(({ section }) => (section === "sightline" ? chosenSettings() : workspaceSection(section))),
      },
    },
  };
}

function workspaceSection(section: string | undefined): unknown {
  return section === undefined ? null : workspace.getConfiguration().get<unknown>(section, null);
}
