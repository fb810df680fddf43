/** A window of VS Code, as somebody sees it who has a keyboard and a mouse. */

import assert from "node:assert/strict";
import { cpSync, existsSync, mkdtempSync } from "node:fs";
import { join } from "node:path";
import { after, afterEach } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { chromium, type Browser, type FrameLocator, type Locator, type Page } from "playwright-core";
import { CodeServer, type Settings } from "./codeServer.ts";
import { CHROMIUM, KEPT, RUN } from "./places.ts";

export const PATIENCE_MS = Number(process.env["SIGHTLINE_TEST_PATIENCE_MS"] ?? 200_000);
const FLAGS = [
  ..."--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync".split(" "),
  ..."--disable-background-networking --disable-component-update".split(" "),
];

export interface Opening {
  /** A folder, or a file with the ending .code-workspace. */
  readonly workspace: string;
  readonly settings?: Settings;
  readonly environment?: NodeJS.ProcessEnv;
}

export class Workbench {
  readonly server: CodeServer;
  readonly page: Page;
  /** What was asked of any other machine. */
  readonly outside: string[] = [];
  readonly console: string[] = [];
  readonly #browser: Browser;

  private constructor(server: CodeServer, browser: Browser, page: Page) {
    this.server = server;
    this.#browser = browser;
    this.page = page;
    page.on("console", (message) => this.console.push(`${message.type()}: ${message.text()}`));
    page.on("request", (request) => {
      const { protocol, hostname } = new URL(request.url());
      // What webviews load is answered by VS Code's service worker, whatever its address.
      if (protocol.startsWith("http") && hostname !== "127.0.0.1" && !hostname.endsWith(".vscode-cdn.net")) {
        this.outside.push(request.url());
      }
    });
  }

  /** A browser with an empty page, beside a server. */
  static async start({ settings, environment }: Omit<Opening, "workspace">): Promise<Workbench> {
    const server = await CodeServer.start(settings, environment);
    const home = mkdtempSync(join(RUN, "browser-"));
    const options = { executablePath: CHROMIUM, args: FLAGS, env: { ...process.env, HOME: home } as Record<string, string>, timeout: PATIENCE_MS };
    const browser = await chromium.launch(options);
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    return new Workbench(server, browser, page);
  }

  /** Opens a workspace; `paths` are what tests inside the extension host begin with. */
  async open(workspace: string, paths: Readonly<Record<string, string>> = {}): Promise<void> {
    const address = new URL(this.server.url);
    address.searchParams.set(workspace.endsWith(".code-workspace") ? "workspace" : "folder", workspace);
    const payload = Object.entries(paths).map(([name, path]) => [name, `vscode-remote://${address.host}${path}`]);
    if (payload.length > 0) {
      address.searchParams.set("payload", JSON.stringify(payload));
    }
    await this.page.goto(address.href, { waitUntil: "commit" });
    await this.page.locator(".monaco-workbench .statusbar-item").first().waitFor();
  }

  async close(): Promise<void> {
    await this.#browser.close();
    await this.server.stop();
  }

  /** Runs a command by its title; a palette that was opened before the command was known never learns of it. */
  async command(title: string): Promise<void> {
    const row = this.rows.filter({ hasText: title }).first();
    for (let tries = 0; ; tries += 1) {
      await this.page.keyboard.press("F1");
      try {
        await this.input.fill(`>${title}`, { timeout: 4000 });
        await row.click({ timeout: 4000 });
        return;
      } catch (error) {
        if (tries === 29) {
          throw error;
        }
        await this.page.keyboard.press("Escape");
      }
    }
  }

  /** The input and the rows of the palette, of quick search and of every other list on top. */
  get input(): Locator {
    return this.page.locator(".quick-input-widget:visible input").first();
  }

  get rows(): Locator {
    return this.page.locator(".quick-input-list .monaco-list-row");
  }

  /** Our item of the status bar. */
  get status(): Locator {
    return this.page.locator('.statusbar-item[id$="sightline.status"]');
  }

  get panel(): FrameLocator {
    return this.page.frameLocator('iframe.webview.ready[src*="extensionId=sightline.sightline"]').frameLocator("iframe#active-frame");
  }

  /** Waits until the active editor shows this file with the cursor in this line. */
  async isAt(file: string, line?: number): Promise<void> {
    await this.page.locator(".editor-group-container.active .tab.active", { hasText: file }).waitFor();
    if (line !== undefined) {
      const said = new RegExp(`^Ln ${line}, `);
      await this.page.locator('[id="status.editor.selection"]', { hasText: said }).waitFor();
    }
  }

  /** Waits until there is an index and nothing is left to do. */
  async isIndexed(within = PATIENCE_MS): Promise<void> {
    const idle = '[aria-label^="Sightline. "][aria-label*=" chunks"]:not([aria-label*=" 0 files"])';
    await this.status.locator(idle).waitFor({ timeout: within });
  }

  async openFile(name: string): Promise<void> {
    await this.page.keyboard.press("Control+p");
    await this.input.fill(name);
    await this.rows.filter({ hasText: name.split("/").at(-1) ?? name }).first().click();
    await this.isAt(name.split("/").at(-1) ?? name);
  }

  /** Presses a key until it shows something: what it asks for may not be there yet. */
  async press(key: string, shown: Locator): Promise<void> {
    for (let tries = 0; ; tries += 1) {
      await this.page.keyboard.press(key);
      try {
        await shown.waitFor({ timeout: 5000 });
        return;
      } catch (error) {
        if (tries === 29) {
          throw error;
        }
        await this.page.keyboard.press("Escape");
      }
    }
  }

  async goTo(line: number): Promise<void> {
    await this.page.keyboard.press("Control+g");
    await this.input.fill(`:${line}`);
    await this.page.keyboard.press("Enter");
  }

  async shoot(name: string): Promise<void> {
    await this.page.screenshot({ path: join(KEPT, `${name}.png`) });
  }

  keepLogs(name: string): void {
    const logs = join(this.server.home, "data", "logs");
    if (existsSync(logs)) {
      cpSync(logs, join(KEPT, `${name}.logs`), { recursive: true });
    }
  }
}

/** A window for all tests of a file, open from here on; what a failed one looked like is kept. */
export async function openWindow({ workspace, ...rest }: Opening): Promise<Workbench> {
  const bench = await Workbench.start(rest);
  after(() => bench.close());
  afterEach(async (context) => {
    const { name, passed } = context as typeof context & { passed: boolean };
    if (!passed) {
      const file = `failed-${name.replace(/\W+/g, "-").slice(0, 60)}`;
      await bench.shoot(file);
      bench.keepLogs(file);
    }
  });
  try {
    await bench.open(workspace);
  } catch (error) {
    await bench.close(); // no test begins, so nothing comes after
    throw error;
  }
  return bench;
}

/** Asks until the answer is the expected one, and fails with the last when it does not become so. */
export async function eventually<T>(ask: () => Promise<T>, expected: T): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const answer = await ask();
    if (isDeepStrictEqual(answer, expected) || Date.now() > deadline) {
      assert.deepEqual(answer, expected);
      return;
    }
    await sleep(100);
  }
}
