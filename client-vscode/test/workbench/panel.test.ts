/** The search panel over a real package, with the real server and its own Postgres. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Panel } from "./panel.ts";
import { lineOf, realProject } from "./projects.ts";
import { eventually, openWindow } from "./workbench.ts";

const project = realProject();
const bench = await openWindow({ workspace: project });
const panel = new Panel(bench);
const DOCUMENT = "workspace/text_document.py";
const EDITING = "apply a full text change to the document";

test("the panel opens from the activity bar and the folder gets indexed", async () => {
  await panel.open();
  await bench.isIndexed();
});

test("a sentence finds the code, and a click goes to its line", async () => {
  await panel.search(EDITING);
  const hit = panel.hit("text_document.py");
  assert.equal(await panel.lineOf(hit), lineOf(project, DOCUMENT, "def _apply_full_change"));
  await hit.click();
  await bench.isAt("text_document.py", await panel.lineOf(hit));
  assert.equal(await panel.file("text_document.py").getAttribute("data-label"), "strong");
});

test("a click previews, a double click keeps, an alt-click opens to the side", async () => {
  const preview = bench.page.locator(".tab.active .label-name").locator("xpath=ancestor::*[contains(@class,'italic')]");
  const hit = panel.hit("text_document.py");
  await hit.click();
  await preview.first().waitFor();
  await hit.dblclick();
  await preview.first().waitFor({ state: "detached" });
  await panel.files.nth(1).locator(".hit").first().click({ modifiers: ["Alt"] });
  await bench.page.locator(".editor-group-container").nth(1).waitFor();
  await bench.command("View: Close All Editors");
});

test("an edited file is found as it is on screen, before it is saved", async () => {
  await panel.search(EDITING);
  const before = await panel.lineOf(panel.hit("text_document.py"));
  await bench.openFile(DOCUMENT);
  await bench.goTo(1);
  await bench.page.keyboard.insertText("# one\n# two\n# three\n");
  await bench.page.locator(".tab.active.dirty").waitFor();
  await panel.search(`${EDITING} `);
  const hit = panel.hit("text_document.py");
  assert.equal(await panel.lineOf(hit), before + 3);
  await hit.click();
  await bench.isAt("text_document.py", before + 3);
});

test("what was typed a moment ago is found, and what was taken back is not", async () => {
  await bench.goTo(1);
  await bench.page.keyboard.insertText("def count_flamingos_in_pond():\n    return 3\n\n");
  await eventually(async () => {
    await panel.search("count flamingos in the pond");
    const hit = panel.hit("text_document.py");
    return (await hit.count()) > 0 ? panel.lineOf(hit) : 0;
  }, 1);
  await bench.command("File: Revert File");
  await bench.page.locator(".tab.active.dirty").waitFor({ state: "detached" });
  await panel.search('"count_flamingos_in_pond"');
  await panel.at("#summary").getByText("Nothing was found").waitFor();
});

test("the filters of the query box narrow, and complete as they are typed", async () => {
  await panel.query.fill("");
  await panel.query.pressSequentially("connect lang:javas");
  await panel.at("#completions li").filter({ hasText: "javascript" }).first().waitFor();
  await panel.query.press("ArrowDown");
  await panel.query.press("Enter");
  await panel.forget();
  assert.match(await panel.query.inputValue(), /^connect lang:javascript\s?$/);
  await panel.query.press("Enter");
  await panel.isFull();
  assert.deepEqual(await panel.names(), ["client.js"]);
});

test("the form's filters narrow: globs, languages and kinds", async () => {
  await panel.at("#filters").click();
  await panel.search("document");
  await panel.forget();
  await panel.at("#include").locator("input").fill("workspace/**");
  await panel.isFull();
  assert.deepEqual(new Set(await panel.at("#results .file .folder").allInnerTexts()), new Set(["workspace"]));
  await panel.forget();
  await panel.at("#exclude").locator("input").fill("text_*.py");
  await panel.isFull();
  assert.ok(!(await panel.names()).includes("text_document.py"));
  await panel.forget();
  await panel.at("#include").locator("input").fill("");
  await panel.at("#exclude").locator("input").fill("");
  await panel.isFull();
  assert.equal(await panel.at("#folder-field").isVisible(), false);
  await panel.forget();
  await panel.choose("#languages", "markdown");
  await panel.isFull();
  assert.deepEqual(await panel.names(), ["README.md"]);
  await panel.forget();
  await panel.choose("#languages", "markdown");
  await panel.choose("#kinds", "class");
  await panel.isFull();
  assert.ok(!(await panel.names()).includes("README.md"));
  await panel.choose("#kinds", "class");
  await panel.at("#filters").click();
});

test("earlier searches are listed, pinned and done again", async () => {
  await panel.forget();
  await panel.query.fill("shut the server down");
  await panel.query.press("Enter");
  await panel.isFull();
  await panel.at("#pin").click();
  await panel.at('#pin[icon="pinned"]').waitFor();
  await panel.search("something else");
  await panel.at("#history").click();
  await panel.at("#searches h2").filter({ hasText: "Pinned" }).waitFor();
  assert.equal(await panel.at("#searches .saved").first().innerText(), "shut the server down");
  await panel.forget();
  await panel.at("#searches .saved").first().click();
  await panel.isFull();
  assert.equal(await panel.query.inputValue(), "shut the server down");
});

test("what is in the panel survives that it is hidden", async () => {
  await bench.page.locator('.activitybar a.action-label[aria-label^="Explorer"]').click();
  await panel.query.waitFor({ state: "detached" });
  await panel.open();
  await panel.files.first().waitFor();
  assert.equal(await panel.query.inputValue(), "shut the server down");
});

test("and that the window is loaded again", async () => {
  await bench.page.waitForTimeout(15_000); // VS Code in a browser writes its state every 5 s
  await bench.page.reload();
  await panel.files.first().waitFor();
  assert.equal(await panel.query.inputValue(), "shut the server down");
});

test("no search ever popped up anything, and nothing was asked of another machine", async () => {
  assert.equal(await bench.page.locator(".notification-toast").count(), 0);
  assert.deepEqual(bench.outside, []);
});
