/** What fails comes back: the server is killed, the database stops and starts, the command is wrong. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, test } from "node:test";
import { Panel } from "./panel.ts";
import { CLIENT, PYTHON, SERVER } from "./places.ts";
import { realProject } from "./projects.ts";
import { eventually, openWindow } from "./workbench.ts";

const script = join(import.meta.dirname, "postgres.py");
const environment = { ...process.env, PYTHONPATH: [join(CLIENT, "../tests"), join(CLIENT, "../server")].join(":") };
const database = spawn(PYTHON, [script], { env: environment, stdio: ["pipe", "pipe", "inherit"] });
const said = createInterface(database.stdout)[Symbol.asyncIterator]();
const told = async (): Promise<string> => String((await said.next()).value);
after(() => {
  database.stdin.end();
});

const url = await told();
const bench = await openWindow({ workspace: realProject(), settings: { "sightline.database.url": url } });
const panel = new Panel(bench);
const QUERY = "apply a full text change to the document";

async function finds(): Promise<void> {
  await panel.search(`${QUERY}${" ".repeat(Math.floor(Math.random() * 9))}`);
  await panel.file("text_document.py").waitFor();
}

/** The language servers of this window's extension host. */
function servers(): number[] {
  const home = bench.server.home;
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
        return words.includes("serve") && readFileSync(`/proc/${pid}/environ`, "utf8").includes(`HOME=${home}\0`);
      } catch {
        return false; // gone meanwhile, or somebody else's
      }
    })
    .map(Number);
}

function end(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}

async function database_(word: "stop" | "start"): Promise<void> {
  database.stdin.write(`${word}\n`);
  assert.equal(await told(), "done");
}

test("it searches in a Postgres of the user's own", async () => {
  await panel.open();
  await bench.isIndexed();
  await finds();
});

test("a server that is killed comes back by itself, with the files on screen", async () => {
  const [pid = 0] = servers();
  assert.notEqual(pid, 0);
  process.kill(pid, "SIGKILL");
  await eventually(() => Promise.resolve(servers().some((each) => each !== pid)), true);
  await bench.isIndexed();
  await finds();
  assert.ok(!servers().includes(pid));
  assert.equal(await bench.page.locator(".notification-toast").count(), 0);
});

test("a database that stops is told in the status bar, and found again when it is back", async () => {
  await database_("stop");
  await panel.query.fill(`${QUERY} now`);
  await bench.status.filter({ hasText: "database unreachable" }).waitFor();
  await bench.shoot("database-unreachable");
  await database_("start");
  await bench.status.filter({ hasNotText: "database unreachable" }).waitFor();
  await finds();
});

test("a command that is wrong is told in the panel, and mended by the setting", async () => {
  bench.server.set({ "sightline.server.command": ["/no/such/sightline"] });
  await panel.at('#notice button[data-action="sightline.showLog"]').waitFor();
  await bench.shoot("server-failed");
  bench.server.set({ "sightline.server.command": SERVER });
  await panel.at("#notice").waitFor({ state: "hidden" });
  await bench.isIndexed();
  await finds();
});

test("a server that keeps dying is given up, with a way to its log", async () => {
  const restart = panel.at('#notice button[data-action="sightline.restartServer"]');
  await eventually(async () => {
    const [pid] = servers();
    if (pid !== undefined) {
      end(pid);
      await bench.page.waitForTimeout(1500);
    }
    return restart.isVisible();
  }, true);
  await restart.click();
  await bench.isIndexed();
  await finds();
});
