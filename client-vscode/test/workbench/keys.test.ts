/** Everything by the keyboard: the panel, quick search, similar code, the menu of the status bar. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Panel } from "./panel.ts";
import { lineOf, realProject } from "./projects.ts";
import { openWindow } from "./workbench.ts";

const project = realProject();
const bench = await openWindow({ workspace: project });
const panel = new Panel(bench);
const { keyboard } = bench.page;

test("keys alone open the panel, search, choose and go there", async () => {
  await bench.command("Sightline: Search Code");
  await panel.at("#query:focus").waitFor();
  await bench.isIndexed();
  await keyboard.insertText("apply a full text change to the document");
  await panel.isFull();
  await keyboard.press("ArrowDown");
  await panel.at('.file[aria-selected="true"]:focus').waitFor();
  await keyboard.press("ArrowDown");
  await panel.at('.hit[aria-selected="true"]:focus').waitFor();
  await keyboard.press("Enter");
  await bench.isAt("text_document.py", lineOf(project, "workspace/text_document.py", "def _apply_full_change"));
});

test("F4 and Shift+F4 go through the hits from the editor", async () => {
  const places = await panel.at("#results .hit").evaluateAll((rows) => rows.map((row) => Number(row.dataset["line"])));
  const name = "text_document.py";
  await keyboard.press("F4");
  await bench.isAt(name, places[1]);
  await keyboard.press("F4");
  await bench.isAt(name, places[2]);
  await keyboard.press("Shift+F4");
  await bench.isAt(name, places[1]);
});

test("left folds a file, right unfolds it, up leads back to the query", async () => {
  await bench.command("Sightline: Search Code");
  await panel.at("#query:focus").waitFor();
  await keyboard.press("ArrowDown");
  await keyboard.press("Home");
  await keyboard.press("ArrowLeft");
  await panel.at('.file[aria-selected="true"][aria-expanded="false"]').waitFor();
  await keyboard.press("ArrowRight");
  await panel.at('.file[aria-selected="true"][aria-expanded="true"]').waitFor();
  await keyboard.press("ArrowUp");
  await panel.at("#query:focus").waitFor();
});

test("quick search shows each place while one moves, and Escape leaves everything as it was", async () => {
  await bench.openFile("capabilities.py");
  await bench.goTo(7);
  await bench.isAt("capabilities.py", 7);
  await keyboard.press("Control+Alt+j");
  await bench.input.fill("send a notification to the client");
  await bench.rows.nth(2).waitFor();
  await keyboard.press("ArrowDown");
  await bench.page.locator(".editor-group-container .tab.active").filter({ hasNotText: "capabilities.py" }).waitFor();
  await bench.shoot("quick-search");
  await keyboard.press("Escape");
  await bench.isAt("capabilities.py", 7);
});

test("quick search keeps the server's order and goes where Enter says", async () => {
  await keyboard.press("Control+Alt+j");
  await bench.input.fill("apply a full text change to the document");
  await bench.rows.filter({ hasText: "text_document.py" }).first().waitFor();
  await keyboard.press("Enter");
  await bench.isAt("text_document.py", lineOf(project, "workspace/text_document.py", "def _apply_full_change"));
});

test("quick search hands its query to the panel", async () => {
  await keyboard.press("Control+Alt+j");
  await bench.input.fill("notebook cells");
  await bench.rows.first().waitFor();
  await panel.forget();
  await bench.page.locator('.quick-input-widget [aria-label="Show in the Panel"]').click();
  await panel.isFull();
  assert.equal(await panel.query.inputValue(), "notebook cells");
});

test("code like the function at the cursor is found", async () => {
  await bench.openFile("workspace/text_document.py");
  await bench.goTo(lineOf(project, "workspace/text_document.py", "def _apply_full_change") + 2);
  await panel.forget();
  await bench.command("Sightline: Find Similar Code");
  await panel.isFull();
  assert.match(await panel.at("#summary").innerText(), /^Similar to text_document\.py:/);
  assert.ok((await panel.files.count()) > 0);
});

test("code like a hit is found", async () => {
  await panel.search("write a message to the client");
  const first = panel.files.first().locator(".hit").first();
  await first.hover();
  await panel.forget();
  await first.locator(".similar").click();
  await panel.isFull();
  assert.match(await panel.at("#summary").innerText(), /^Similar to /);
});

test("similar code is in the editor's menu and among its code actions", async () => {
  await bench.openFile("workspace/text_document.py");
  await bench.page.locator(".editor-instance .view-line").first().click({ button: "right" });
  await bench.page.locator(".context-view .action-label", { hasText: "Find Similar Code" }).first().waitFor();
  await keyboard.press("Escape");
  await bench.goTo(lineOf(project, "workspace/text_document.py", "def _apply_full_change"));
  await keyboard.press("Shift+End");
  await bench.press("Control+.", bench.page.locator(".action-widget", { hasText: "Find similar code" }));
  await keyboard.press("Escape");
});

test("similar code shows as a tree in the references view", async () => {
  await bench.command("Sightline: Find Similar Code (References View)");
  const rows = bench.page.locator(".pane", { hasText: "Similar Code" }).locator(".monaco-list-row");
  await rows.first().click();
  await bench.page.locator(".tab.active").waitFor();
});

test("the status bar tells the size of the index, and its menu leads on", async () => {
  assert.match((await bench.status.locator("[aria-label]").getAttribute("aria-label")) ?? "", /\d+ files, [\d,]+ chunks/);
  await bench.status.click();
  await bench.rows.filter({ hasText: "Why is this file (not) indexed?" }).waitFor();
  for (const label of ["Show status", "Run doctor", "Pause indexing", "Show log", "Index again"]) {
    assert.equal(await bench.rows.filter({ hasText: label }).count(), 1, label);
  }
  await keyboard.press("Escape");
});

test("indexing is paused and goes on", async () => {
  await bench.command("Sightline: Pause Indexing");
  await bench.status.filter({ hasText: "paused" }).waitFor();
  await bench.command("Sightline: Resume Indexing");
  await bench.status.filter({ hasNotText: "paused" }).waitFor();
});
