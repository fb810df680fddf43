import assert from "node:assert/strict";
import { test } from "node:test";
import { complete } from "../../src/panel/completing";

const VOCABULARY = { languages: ["python", "php", "javascript", "javascriptreact"], kinds: ["function", "field", "class"] };

/** What is offered where `|` is the cursor. */
function offered(marked: string): string[] {
  return complete(marked.replace("|", ""), marked.indexOf("|"), VOCABULARY).map((each) => each.label);
}

/** The box after the first completion, with the cursor as `|`. */
function accepted(marked: string): string {
  const [first] = complete(marked.replace("|", ""), marked.indexOf("|"), VOCABULARY);
  return first === undefined ? "nothing" : `${first.text.slice(0, first.cursor)}|${first.text.slice(first.cursor)}`;
}

const OFFERS: [string, string[]][] = [
  ["|", []],
  ["l|", []],
  ["la|", ["lang:"]],
  ["retry pa|", ["path:"]],
  ["-fi|", ["-file:"]],
  ["lang:|", ["python", "php", "javascript", "javascriptreact"]],
  ["lang:p|", ["python", "php"]],
  ["-lang:PY|", ["python"]],
  ["lang:python,java|", ["javascript", "javascriptreact"]],
  ["lang:python|", []],
  ["kind:f| retry", ["function", "field"]],
  ["path:s|", []],
  ['"la|', []],
  ['"lang" la|', ["lang:"]],
];

for (const [marked, expected] of OFFERS) {
  test(`completions at ${marked}`, () => {
    assert.deepEqual(offered(marked), expected);
  });
}

const ACCEPTED: [string, string][] = [
  ["retry la|", "retry lang:|"],
  ["retry -pa|", "retry -path:|"],
  ["lang:py|", "lang:python |"],
  ["lang:php,py| retry", "lang:php,python |retry"],
  ["kind:f|", "kind:function |"],
];

for (const [marked, expected] of ACCEPTED) {
  test(`accepting at ${marked}`, () => {
    assert.equal(accepted(marked), expected);
  });
}
