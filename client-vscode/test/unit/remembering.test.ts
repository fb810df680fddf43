import assert from "node:assert/strict";
import { test } from "node:test";
import { EMPTY_FORM, type Form } from "../../src/panel/form";
import type { SavedSearch } from "../../src/panel/messages";
import { MOST_RECENT, forgotten, pinned, readSearches, remembered } from "../../src/remembering";

const form = (query: string): Form => ({ ...EMPTY_FORM, query });
const names = (searches: readonly SavedSearch[]): string[] => searches.map((each) => `${each.isPinned ? "*" : ""}${each.form.query}`);
const after = (...queries: string[]): SavedSearch[] => queries.reduce<SavedSearch[]>((list, query) => remembered(list, form(query)), []);

test("the latest search comes first, each only once", () => {
  assert.deepEqual(names(after("a", "b", "a")), ["a", "b"]);
});

test("an empty form is not remembered and not pinned", () => {
  assert.deepEqual(remembered([], form("  ")), []);
  assert.deepEqual(pinned([], EMPTY_FORM), []);
});

test("a pinned search stays on top and where it is", () => {
  const list = pinned(after("a", "b"), form("a"));
  assert.deepEqual(names(list), ["*a", "b"]);
  assert.deepEqual(names(remembered(remembered(list, form("c")), form("a"))), ["*a", "c", "b"]);
});

test("a search that is unpinned is a recent one again", () => {
  assert.deepEqual(names(pinned(pinned(after("a", "b"), form("a")), form("a"))), ["a", "b"]);
});

test("only so many are kept, and pinned ones are not counted", () => {
  const many = Array.from({ length: MOST_RECENT + 10 }, (_, at) => `q${at}`);
  const list = pinned(after(...many), form(`q${MOST_RECENT + 9}`));
  assert.equal(remembered(list, form("new")).length, MOST_RECENT + 1);
});

test("a search can be forgotten", () => {
  assert.deepEqual(names(forgotten(after("a", "b"), form("a"))), ["b"]);
});

test("what was kept is read again, and what another version wrote is left out", () => {
  const list = pinned(after("a", "b"), form("b"));
  assert.deepEqual(readSearches(JSON.parse(JSON.stringify(list))), list);
  assert.deepEqual(readSearches([null, 5, { form: { query: 1 } }, list[0]]), [list[0]]);
  assert.deepEqual(readSearches("x"), []);
});
