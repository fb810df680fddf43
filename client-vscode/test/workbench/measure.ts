/**
 * How long somebody waits, measured in the workbench: `client-vscode/test/run measure [FOLDER]` prints JSON.
 *
 * Without a folder it is Python's standard library. Times are of the page: from a key that has arrived to the frame after
 * the results are in the page. "full" has the pause of 250 ms in it that comes before everything is asked for.
 */

import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Panel } from "./panel.ts";
import { PYTHON, RUN } from "./places.ts";
import { Workbench } from "./workbench.ts";

const ACTIVATIONS = 3;
const SETTLED_MS = 600;
const QUERIES = [
  "where is a cookie's expiry date parsed", "walk a directory tree", "compress a stream of bytes", "parse_qs",
  "wait for the first of several tasks", "quote a string for the shell", "send a mail with attachments", "HTTPConnection",
  "find the next weekday", "read a config file with sections", "escape html entities", "deepcopy of an object",
  "acquire a lock with a timeout", "pretty print nested lists", "retry a request after redirect", "unified diff",
  "tokenize python source", "statistics of a sample median", "temporary directory that is removed", "json decoder error",
];

interface Waits {
  readonly first: number | undefined;
  readonly full: number | undefined;
}

declare global {
  interface Window {
    waits: { key: number; first?: number; full?: number };
  }
}

/** Runs in the page: notes when a key comes and when what it brings is shown. */
function listen(): void {
  const query = document.getElementById("query");
  const summary = document.getElementById("summary");
  if (query === null || summary === null) {
    throw new Error("no panel");
  }
  query.addEventListener("input", () => {
    window.waits = { key: performance.now() };
  }, { capture: true });
  new MutationObserver(() => {
    const stage = summary.dataset["stage"];
    const { waits } = window;
    requestAnimationFrame(() => {
      if ((stage === "first" || stage === "full") && waits[stage] === undefined) {
        waits[stage] = performance.now();
      }
    });
  }).observe(summary, { attributes: true, attributeFilter: ["data-stage"] });
}

async function waitsOf(panel: Panel, query: string): Promise<Waits> {
  await panel.query.fill(query.slice(0, -1));
  await sleep(SETTLED_MS);
  await panel.query.press("End");
  await panel.query.press(query.at(-1) ?? "");
  await panel.isFull();
  await sleep(SETTLED_MS);
  const { key, first, full } = await panel.at("body").evaluate(() => window.waits);
  return { first: (first ?? full ?? NaN) - key, full: (full ?? NaN) - key };
}

/** What VS Code itself says of our activation, in ms. */
async function activation(bench: Workbench): Promise<number> {
  await bench.command("Developer: Show Running Extensions");
  const row = bench.page.locator(".runtime-extensions-editor .monaco-list-row", { hasText: "Sightline" });
  const said = await row.first().innerText();
  const modal = bench.page.locator(".monaco-modal-editor-block");
  await bench.page.keyboard.press("Escape");
  await modal.waitFor({ state: "detached" });
  return Number(/Activation: (\d+)ms/i.exec(said)?.[1]);
}

function at(values: readonly number[], part: number): number {
  const sorted = [...values].sort((one, other) => one - other);
  return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? NaN);
}

function summary(values: readonly number[]): Readonly<Record<string, number>> {
  return { median: at(values, 0.5), p95: at(values, 0.95), worst: at(values, 1), samples: values.length };
}

function folder(): string {
  const copy = join(mkdtempSync(join(RUN, "m-")), "project");
  const [given] = process.argv.slice(2);
  const source = given ?? dirname(execFileSync(PYTHON, ["-c", "import os; print(os.__file__)"], { encoding: "utf8" }).trim());
  const isWanted = (path: string): boolean => !/site-packages|__pycache__|\/tests?$|\.so$/.test(path.slice(source.length));
  cpSync(source, copy, { recursive: true, filter: isWanted });
  return copy;
}

const bench = await Workbench.start({});
try {
  await bench.open(folder());
  await bench.isIndexed(600_000);
  const activations = [await activation(bench)];
  while (activations.length < ACTIVATIONS) {
    await bench.page.reload();
    await bench.isIndexed(600_000);
    activations.push(await activation(bench));
  }
  const panel = new Panel(bench);
  await panel.open();
  const size = await bench.status.locator("[aria-label]").getAttribute("aria-label");
  await panel.at("body").evaluate(listen);
  const waits: Waits[] = [];
  for (const query of ["warm up", ...QUERIES]) {
    waits.push(await waitsOf(panel, query));
  }
  const measured = waits.slice(1);
  const result = {
    size,
    activationMs: activations,
    keyToFirstMs: summary(measured.map(({ first = NaN }) => first)),
    keyToFullMs: summary(measured.map(({ full = NaN }) => full)),
  };
  process.stdout.write(`${JSON.stringify(result, undefined, 2)}\n`);
} finally {
  await bench.close();
}
