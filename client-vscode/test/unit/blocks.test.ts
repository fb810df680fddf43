import assert from "node:assert/strict";
import { test } from "node:test";
import { blockAround } from "../../src/blocks";

const PYTHON = `import os

def outer(a):
    """Doc."""

    for x in a:
        print(x)
    return a

x = 1
y = 2

z = 3`.split("\n");

const BRACES = `function f() {
  if (a) {
    b();
  }
}

const c = 1;`.split("\n");

const CASES: [string, readonly string[], number, [number, number]][] = [
  ["a head has what it heads", PYTHON, 2, [2, 7]],
  ["an inner head has its own block", PYTHON, 5, [5, 6]],
  ["a line in a block has that block", PYTHON, 6, [5, 6]],
  ["a line of the body has the whole", PYTHON, 7, [2, 7]],
  ["a blank line belongs to what is above", PYTHON, 4, [2, 7]],
  ["lines at the top that head nothing are a paragraph", PYTHON, 10, [9, 10]],
  ["the first line", PYTHON, 0, [0, 0]],
  ["the last line", PYTHON, 12, [12, 12]],
  ["a closing bracket belongs to its block", BRACES, 0, [0, 4]],
  ["the inner block, with its bracket", BRACES, 2, [1, 3]],
  ["no lines", [""], 0, [0, 0]],
];

for (const [name, lines, at, expected] of CASES) {
  test(`a block: ${name}`, () => {
    assert.deepEqual(blockAround(lines, at), expected);
  });
}
