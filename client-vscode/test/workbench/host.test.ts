/** Runs the tests of test/host inside the extension host of a real workbench. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, test } from "node:test";
import { CLIENT } from "./places.ts";
import { realProject } from "./projects.ts";
import { Workbench } from "./workbench.ts";

const bench = await Workbench.start({});
after(() => bench.close());

test("the tests inside the extension host pass", async () => {
  const ended = new Promise<unknown>((resolve) => void bench.page.exposeFunction("codeAutomationExit", resolve));
  await bench.page.exposeFunction("codeAutomationLog", () => undefined);
  await bench.open(realProject(), {
    extensionDevelopmentPath: CLIENT,
    extensionTestsPath: join(CLIENT, "out/host/index.js"),
  });
  const code = await ended;
  const told = bench.console.filter((line) => line.includes("HOST")).map((line) => line.replace(/^.*?HOST /, ""));
  console.log(told.join("\n"));
  assert.equal(code, 0);
  assert.ok(told.length > 5);
});
