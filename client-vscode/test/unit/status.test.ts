import assert from "node:assert/strict";
import { test } from "node:test";
import { noticeOf } from "../../src/panel/notices";
import type { StatusChanged } from "../../src/protocol";
import type { Health } from "../../src/session";
import { statusText } from "../../src/statusText";

function running(changes: Partial<StatusChanged>): Health {
  return { kind: "running", status: { phase: "idle", percent: 100, files: 1200, chunks: 12345, degraded: [], ...changes } };
}

const LOST = { code: "databaseUnavailable", message: "Postgres does not answer" } as const;

const TEXTS: [string, Health, RegExp, string][] = [
  ["starting", { kind: "starting" }, /spin\) Sightline$/, "none"],
  ["stopped", { kind: "stopped" }, /Sightline$/, "none"],
  ["missing", { kind: "missing" }, /no server/, "warning"],
  ["failed", { kind: "failed", message: "boom" }, /error\) Sightline/, "error"],
  ["running, nothing told yet", { kind: "running" }, /Sightline$/, "none"],
  ["idle", running({}), /fuzzy\) Sightline$/, "none"],
  ["indexing", running({ phase: "reading", percent: 43 }), /indexing 43 %/, "none"],
  ["paused", running({ phase: "paused", percent: 43 }), /paused at 43 %/, "none"],
  ["cancelled", running({ phase: "cancelled", percent: 43 }), /43 % indexed/, "none"],
  ["waiting", running({ phase: "waiting" }), /waiting/, "warning"],
  ["no database", running({ phase: "waiting", degraded: [LOST] }), /database unreachable/, "warning"],
];

for (const [name, health, text, severity] of TEXTS) {
  test(`the status bar where the server is ${name}`, () => {
    const told = statusText(health);
    assert.match(told.text, text);
    assert.equal(told.severity, severity);
    assert.notEqual(told.tooltip, "");
  });
}

test("numbers can be read", () => {
  assert.equal(statusText(running({})).tooltip, "1,200 files, 12,345 chunks");
});

test("the panel offers what can be done, and says nothing where all is well", () => {
  assert.equal(noticeOf(running({})), undefined);
  assert.equal(noticeOf(running({ phase: "reading", percent: 3, degraded: [{ code: "indexing", message: "3 %" }] })), undefined);
  assert.deepEqual(noticeOf({ kind: "missing" })?.actions.map(({ id }) => id), ["sightline.installServer", "sightline.restartServer"]);
  assert.deepEqual(noticeOf({ kind: "failed", message: "boom" })?.text, "boom");
  assert.equal(noticeOf(running({ degraded: [LOST, LOST] }))?.text, LOST.message);
});
