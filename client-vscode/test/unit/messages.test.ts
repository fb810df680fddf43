import assert from "node:assert/strict";
import { test } from "node:test";
import { EMPTY_FORM } from "../../src/panel/form";
import { readMessage, type FromPage } from "../../src/panel/messages";

const SENT: FromPage[] = [
  { type: "ready", form: EMPTY_FORM },
  { type: "search", form: EMPTY_FORM, isFinal: true },
  { type: "open", id: "r1.0", way: "side" },
  { type: "similar", id: "r1.0" },
  { type: "pin", form: EMPTY_FORM },
  { type: "forget", form: EMPTY_FORM },
  { type: "act", id: "sightline.showLog" },
];

for (const message of SENT) {
  test(`the page's message "${message.type}" is understood`, () => {
    assert.deepEqual(readMessage(JSON.parse(JSON.stringify(message))), message);
  });
}

test("nothing but a known way, an id and a form comes through", () => {
  const read = readMessage({ type: "open", id: "r1.0", way: "pin", uri: "file:///etc/passwd", command: "x" });
  assert.deepEqual(read, { type: "open", id: "r1.0", way: "pin" });
});

const FOREIGN: unknown[] = [
  undefined,
  null,
  "open",
  [],
  { type: "open", id: "r1.0", way: "delete" },
  { type: "open", id: 5, way: "pin" },
  { type: "open", way: "pin" },
  { type: "search" },
  { type: "search", form: { query: "x" } },
  { type: "act" },
  { type: "eval", id: "x" },
];

test("what the page never sends is dropped", () => {
  for (const each of FOREIGN) {
    assert.equal(readMessage(each), undefined);
  }
});
