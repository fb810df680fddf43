/** The server's life: found, started, asked, told of, started again; everything else only asks this. */

import {
  EventEmitter,
  commands,
  workspace,
  type CancellationToken,
  type ExtensionContext,
  type LogOutputChannel,
} from "vscode";
import type { LanguageClient } from "vscode-languageclient/node";
import type { Owner } from "./client";
import { coalesced } from "./coalescing";
import { Crashes } from "./crashes";
import { findServer, type Found } from "./finding";
import { offerFailure, offerInstallOnce } from "./installing";
import { machineOf } from "./machine";
import { PROTOCOL_VERSION, type Requests, type SimilarParams, type StatusChanged } from "./protocol";

/** How the server is; `missing` and `failed` need somebody to do something. */
export type Health =
  | { readonly kind: "starting" | "missing" | "stopped" }
  | { readonly kind: "failed"; readonly message: string }
  | { readonly kind: "running"; readonly status?: StatusChanged };

/** What the server says it can do, beside LSP. */
export interface Abilities {
  readonly version: number;
  readonly languages?: readonly string[];
  readonly kinds?: readonly string[];
}

export class Session implements Owner {
  readonly #changed = new EventEmitter<Health>();
  readonly onChanged = this.#changed.event;
  readonly #similarAsked = new EventEmitter<SimilarParams>();
  /** Somebody chose the code action "Find similar code". */
  readonly onSimilarAsked = this.#similarAsked.event;
  readonly #crashes = new Crashes();
  readonly #begin = coalesced(() => this.#replace());
  #health: Health = { kind: "stopped" };
  #client: LanguageClient | undefined;
  #starting: Promise<void> | undefined;
  #found: Found | undefined;
  #isDisposed = false;

  constructor(
    readonly context: ExtensionContext,
    readonly log: LogOutputChannel,
  ) {
    context.subscriptions.push(
      workspace.onDidChangeConfiguration((event) => {
        if (event.affectsConfiguration("sightline") && this.#client?.isRunning()) {
          // The server asks for what it wants to know.
          void this.#client.sendNotification("workspace/didChangeConfiguration", { settings: null });
        }
      }),
    );
  }

  get folder(): string {
    return this.context.extensionPath;
  }

  get health(): Health {
    return this.#health;
  }

  /** The command that runs the server, once one was found. */
  get command(): readonly [string, ...string[]] | undefined {
    return this.#found?.command;
  }

  get abilities(): Abilities | undefined {
    const { experimental } = (this.#client?.initializeResult?.capabilities ?? {}) as {
      experimental?: { sightline?: Abilities };
    };
    return experimental?.sightline;
  }

  /** Starts the server that is found now, in place of one that runs; calls meanwhile are one. */
  restart(): Promise<void> {
    this.#crashes.forget();
    const starting = this.#begin().finally(() => {
      if (this.#starting === starting) {
        this.#starting = undefined;
      }
    });
    this.#starting = starting;
    return starting;
  }

  /** Asks the server, which may still be starting; throws where there is none. */
  async request<M extends keyof Requests>(
    method: M,
    params: Requests[M]["params"],
    token?: CancellationToken,
  ): Promise<Requests[M]["result"]> {
    await this.#starting;
    const client = this.#client;
    if (client === undefined || this.#health.kind === "failed") {
      throw new Error("The server is not running.");
    }
    // A token that is undefined would go over the wire as a second parameter.
    return token === undefined ? client.sendRequest(method, params) : client.sendRequest(method, params, token);
  }

  crashed(): boolean {
    const again = this.#crashes.note(Date.now());
    this.log.warn(`The server has ended unexpectedly${again ? "; it is started again." : " too often."}`);
    if (!again) {
      this.#fail("The server keeps ending unexpectedly.");
    }
    return again;
  }

  moved(kind: "starting" | "running"): void {
    if (!this.#crashes.isGivenUp) {
      this.#become({ kind });
    }
  }

  told(status: StatusChanged): void {
    this.#become({ kind: "running", status });
  }

  showSimilar(place: SimilarParams): void {
    this.#similarAsked.fire(place);
  }

  dispose(): Promise<void> {
    this.#isDisposed = true;
    this.#changed.dispose();
    this.#similarAsked.dispose();
    return this.#stop();
  }

  async #replace(): Promise<void> {
    await this.#stop();
    this.#become({ kind: "starting" });
    try {
      this.#found = await findServer(machineOf(this.context));
      if (this.#found === undefined) {
        this.#become({ kind: "missing" });
        void offerInstallOnce(this);
        return;
      }
      const { command, source } = this.#found;
      this.log.info(`Starting ${command.join(" ")} (${source})`);
      await this.#run(command);
    } catch (error) {
      this.#fail(error instanceof Error ? error.message : String(error));
    }
  }

  async #run(command: readonly [string, ...string[]]): Promise<void> {
    // Only now: it is what takes long to load, and the editor waits for what is loaded before.
    const { makeClient } = await import("./client.js");
    if (this.#isDisposed) {
      return; // nobody would end it
    }
    const client = makeClient(command, this);
    this.#client = client;
    await client.start();
    const version = this.abilities?.version;
    if (version !== PROTOCOL_VERSION) {
      await this.#stop();
      const spoken = version === undefined ? "no protocol of ours" : `version ${version} of the protocol`;
      throw new Error(`The server speaks ${spoken}, this extension version ${PROTOCOL_VERSION}: update the older one.`);
    }
  }

  async #stop(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    // One that has not started cannot be stopped, and one that is gone need not be.
    await client?.dispose().catch((error: unknown) => {
      this.log.debug(`Stopping the server: ${String(error)}`);
    });
  }

  #fail(message: string): void {
    if (this.#health.kind === "failed") {
      return; // the crash that made the start fail is on screen
    }
    this.log.error(message);
    this.#become({ kind: "failed", message });
    void offerFailure(this, message);
  }

  #become(health: Health): void {
    this.#health = health;
    this.#changed.fire(health);
    void commands.executeCommand("setContext", "sightline.isRunning", health.kind === "running");
  }
}
