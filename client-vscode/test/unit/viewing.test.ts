import assert from "node:assert/strict";
import { test } from "node:test";
import { headline } from "../../src/panel/headline";
import type { Hit } from "../../src/protocol";
import { dedented, toView, why } from "../../src/panel/viewing";
import { answer, hit, range } from "./samples";

const VIEWING = { prefix: "r1", isFinal: true, folderName: (): string => "" };

function view(changes: Partial<Hit> = {}) {
  const [file] = toView(answer({ hits: [hit(changes)] }), VIEWING).files;
  assert.ok(file);
  const [best] = file.hits;
  assert.ok(best);
  return { file, best };
}

test("a file is shown by its name and folder, its places by the ids that stand for them", () => {
  const { file } = view();
  assert.equal(file.name, "store.py");
  assert.equal(file.folder, "src");
  assert.deepEqual(file.hits.map(({ id, line, symbol }) => [id, line, symbol]), [["r1.0", 14, "save"], ["r1.0.0", 31, "load"]]);
});

test("no path and no address of a file is in what the page gets as an id", () => {
  for (const each of view().file.hits) {
    assert.match(each.id, /^r\d+(\.\d+)+$/);
  }
});

test("the lines around the best one are shown, without their common indentation, marks in place", () => {
  const { best } = view();
  assert.equal(best.firstLine, 12);
  assert.deepEqual(best.lines.map(({ text }) => text), ["# keeps it", "", "self.path.write_text(session)", "self.count += 1"]);
  const marked = best.lines.flatMap(({ text, marks }) => marks.map(([start, end]) => text.slice(start, end)));
  assert.deepEqual(marked, ["session"]);
});

test("blank lines at either end are not shown", () => {
  const { best } = view({ snippet: "\n\n    def save(self):\n        pass\n\n", snippetLine: 11, highlights: [] });
  assert.equal(best.firstLine, 14);
  assert.deepEqual(best.lines.map(({ text }) => text), ["def save(self):", "    pass"]);
});

test("a file at the root has no folder, and a folder's name goes first where several are open", () => {
  assert.equal(view({ path: "setup.py" }).file.folder, "");
  const [file] = toView(answer(), { ...VIEWING, folderName: () => "shop" }).files;
  assert.equal(file?.folder, "shop/src");
});

test("a mark over two lines ends with the first", () => {
  const { best } = view({ highlights: [range(13, 8, 14, 3)], snippetLine: 13, snippet: "        tail\n  x" });
  assert.deepEqual(best.lines[0]?.marks, [[6, 10]]);
});

test("a very long line is cut, and marks beyond the cut are dropped", () => {
  const { best } = view({ snippet: "x".repeat(5000), snippetLine: 13, highlights: [range(13, 0, 13, 3), range(13, 4000, 13, 4003)] });
  assert.ok((best.lines[0]?.text.length ?? 0) < 300);
  assert.deepEqual(best.lines[0]?.marks, [[0, 3]]);
});

test("tabs and spaces that differ are no common indentation", () => {
  const lines = ["\tone", "  two"].map((text) => ({ text, marks: [] }));
  assert.deepEqual(dedented(lines).map(({ text }) => text), ["\tone", "  two"]);
  assert.deepEqual(dedented([]), []);
});

test("why tells what a label means and what counted most, the largest first", () => {
  const told = why({ label: "weak", signals: { words: 0.4, cosine: 1.2, noise: -3, depth: 0.01 } }).split("\n");
  assert.match(told[0] ?? "", /^Weak: /);
  assert.deepEqual(told.slice(1), ["\u22123.0 test, example or generated code", "+1.2 meaning", "+0.4 words"]);
});

const HEADLINES: [string, Parameters<typeof toView>[0], Partial<Parameters<typeof toView>[1]>, string][] = [
  ["one file", answer(), {}, "1 file"],
  ["two files", answer({ hits: [hit(), hit()] }), {}, "2 files"],
  ["none", answer({ hits: [] }), {}, "Nothing was found"],
  ["none yet", answer({ hits: [] }), { isFinal: false }, "No word matches yet"],
  ["similar", answer(), { title: "Similar to a.py:3" }, "Similar to a.py:3 \u00b7 1 file"],
  ["incomplete", answer({ complete: false, indexedPercent: 43 }), {}, "1 file \u00b7 43 % indexed"],
  [
    "degraded, told once",
    answer({ complete: false, degraded: [{ code: "indexing", message: "43 % indexed" }, { code: "indexing", message: "43 % indexed" }] }),
    {},
    "1 file \u00b7 43 % indexed",
  ],
  ["a path that is nowhere", answer({ hits: [], degraded: [{ code: "outside", message: "/x is nowhere" }] }), {}, "Nothing was found \u00b7 /x is nowhere"],
];

for (const [name, given, viewing, expected] of HEADLINES) {
  test(`the headline of an answer: ${name}`, () => {
    assert.equal(headline(toView(given, { ...VIEWING, ...viewing })), expected);
  });
}

test("no answer has no headline", () => {
  assert.equal(headline(undefined), "");
});
