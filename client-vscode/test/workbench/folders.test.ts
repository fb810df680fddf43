/** Two folders in one window. */

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Panel } from "./panel.ts";
import { RUN } from "./places.ts";
import { lineOf, realProject, smallProject } from "./projects.ts";
import { openWindow } from "./workbench.ts";

const real = realProject();
const bakery = smallProject();
const workspace = join(RUN, "two.code-workspace");
writeFileSync(workspace, JSON.stringify({ folders: [{ path: real }, { path: bakery }] }));
const bench = await openWindow({ workspace });
const panel = new Panel(bench);

test("one search covers all folders and says which a file is in", async () => {
  await panel.open();
  await bench.isIndexed();
  await panel.search("warm the oven before the loaves go in");
  assert.equal(await panel.file("ovens.py").locator(".folder").innerText(), "bakery");
  await panel.search("apply a full text change to the document");
  assert.match(await panel.file("text_document.py").locator(".folder").innerText(), /^pygls\/workspace$/);
});

test("a hit of the second folder opens at its line", async () => {
  await panel.search("birthday cake order");
  await panel.hit("orders.py").click();
  await bench.isAt("orders.py", lineOf(bakery, "orders.py", "class CakeOrder"));
});

test("the folder picker narrows to one", async () => {
  await panel.at("#filters").click();
  await panel.forget();
  await panel.at("#folder").click();
  await panel.at("#folder").locator("[role=option], li.option", { hasText: "bakery" }).first().click();
  await panel.isFull();
  await panel.search("document");
  const folders = await panel.at("#results .file .folder").allInnerTexts();
  assert.ok(folders.every((each) => each.startsWith("bakery")), folders.join());
});
