import assert from "node:assert/strict";
import { test } from "node:test";
import type { Paint, Span } from "../../src/panel/messages";
import { segments } from "../../src/panel/segments";

/** Runs as text: `<...>` is a match, a colour stands before its run. */
function drawn(text: string, marks: readonly Span[], paints: readonly Paint[] = []): string {
  return segments({ text, marks }, paints)
    .map((run) => `${run.colour}${run.isMark ? `<${run.text}>` : run.text}`)
    .join("|");
}

test("a line without marks and colours is one run", () => {
  assert.equal(drawn("return x", []), "return x");
});

test("an empty line has no runs", () => {
  assert.equal(drawn("", []), "");
});

test("marks cut a line", () => {
  assert.equal(drawn("return retry(x)", [[7, 12]]), "return |<retry>|(x)");
});

test("colours and marks are laid over each other", () => {
  assert.equal(drawn("return retry", [[4, 9]], [[0, "red", ""], [7, "", "bold"]]), "redretu|red<rn >|<re>|try");
});

test("a mark that ends beyond the line ends with it", () => {
  assert.equal(drawn("abc", [[1, 99]]), "a|<bc>");
});

test("no text is lost or told twice", () => {
  for (const [from, to] of [[0, 0], [0, 5], [2, 3], [4, 5], [5, 5]] as const) {
    for (const start of [0, 1, 4]) {
      const runs = segments({ text: "hello", marks: [[from, to]] }, [[start, "red", ""]]);
      assert.equal(runs.map((run) => run.text).join(""), "hello");
    }
  }
});
