import assert from "node:assert/strict";
import { test } from "node:test";
import { EMPTY_FORM, globs, isNarrowed, isSame, readForm, summary, type Form } from "../../src/panel/form";

const FULL: Form = { query: "retry", languages: ["python"], kinds: ["method"], include: "src/**", exclude: "a, b", folder: "1" };

const GLOBS: [string, string[]][] = [
  ["", []],
  [" , ,", []],
  ["src/**, *.py", ["src/**", "*.py"]],
  ["*.{ts,tsx},docs", ["*.{ts,tsx}", "docs"]],
  ["a{b", ["a{b"]],
];

for (const [text, expected] of GLOBS) {
  test(`the globs of ${JSON.stringify(text)}`, () => {
    assert.deepEqual(globs(text), expected);
  });
}

test("an empty form narrows nothing, and any field narrows", () => {
  assert.equal(isNarrowed({ ...EMPTY_FORM, query: "x", include: " , " }), false);
  for (const field of ["languages", "kinds", "include", "exclude", "folder"] as const) {
    assert.equal(isNarrowed({ ...EMPTY_FORM, [field]: FULL[field] }), true, field);
  }
});

test("forms that ask for the same are the same", () => {
  assert.ok(isSame({ ...FULL, languages: ["a", "b"] }, { ...FULL, query: " retry ", languages: ["b", "a"], exclude: "a,b" }));
  assert.ok(!isSame(FULL, { ...FULL, folder: "" }));
});

test("a form as one line reads like the query box", () => {
  assert.equal(summary(FULL), "retry lang:python kind:method path:src/** -path:a -path:b");
  assert.equal(summary(EMPTY_FORM), "");
});

test("a form comes back from wherever it was kept", () => {
  assert.deepEqual(readForm(JSON.parse(JSON.stringify(FULL))), FULL);
});

test("what is no form is none", () => {
  const wrong: unknown[] = [undefined, null, 1, "x", {}, { ...FULL, query: 1 }, { ...FULL, kinds: [1] }, { ...FULL, languages: "a" }];
  for (const each of wrong) {
    assert.equal(readForm(each), undefined);
  }
});
