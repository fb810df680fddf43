/** The search panel over a real package, with the real server and its own Postgres. */

import { test } from "node:test";
import { Panel } from "./panel.ts";
import { realProject } from "./projects.ts";
import { openWindow } from "./workbench.ts";

const project = realProject();
const bench = await openWindow({ workspace: project });
const panel = new Panel(bench);

test("the panel opens from the activity bar and the folder is indexed", async () => {
  await panel.open();
  await bench.isIndexed();
});

test("a sentence finds the code, and a click goes to its line", async () => {
  await panel.search("apply an edit to the text of a document");
  const hit = panel.hit("text_document.py");
  const line = await panel.lineOf(hit);
  await hit.click();
  await bench.isAt("text_document.py", line);
  await bench.shoot("panel");
});
