import assert from "node:assert/strict";
import { test } from "node:test";
import { readFile } from "node:fs/promises";
import { loadWASM, createOnigScanner, createOnigString } from "vscode-oniguruma";
import { Registry, parseRawGrammar } from "vscode-textmate";
import { injectionsTo, scopeOf } from "../../src/colouring/grammars";
import { pickTheme, rulesOf } from "../../src/colouring/themes";
import { paint } from "../../src/colouring/tokens";

const THEMES = [
  { id: "Light Modern", label: "Light", uiTheme: "vs", path: "a" },
  { id: "Dark Modern", label: "Dark", uiTheme: "vs-dark", path: "b" },
  { label: "Night", uiTheme: "vs-dark", path: "c" },
];

const PICKED: [string, string, string | undefined][] = [
  ["Night", "vs-dark", "c"],
  ["Default Dark Modern", "vs-dark", "b"],
  ["Light Modern", "vs-dark", "b"],
  ["Gone", "vs", "a"],
  ["Night", "hc-black", undefined],
];

for (const [name, kind, path] of PICKED) {
  test(`the theme that is on where the setting says ${name} and the window is ${kind}`, () => {
    assert.equal(pickTheme(THEMES, name, kind)?.path, path);
  });
}

const FILES: Record<string, string> = {
  "/My Thèmes/dark.json": '{ // with comments\n "include": "./base.json", "colors": {"editor.foreground": "#eeeeee"}, "tokenColors": [{"scope": "keyword", "settings": {"foreground": "#ff0000"}}], }',
  "/My Thèmes/base.json": '{"tokenColors": [{"scope": ["keyword", "string"], "settings": {"foreground": "#00ff00", "fontStyle": "italic"}}]}',
  "/My Thèmes/endless.json": '{"include": "./endless.json"}',
  "/My Thèmes/old.json": '{"tokenColors": "./old.tmTheme"}',
};
const read = (path: string): Promise<string> => Promise.resolve(FILES[path] ?? assert.fail(path));

test("a theme has the rules of what it includes, and its own after them", async () => {
  const rules = await rulesOf("/My Thèmes/dark.json", read);
  assert.deepEqual(rules.map((rule) => rule.settings.foreground), ["#00ff00", "#eeeeee", "#ff0000"]);
});

test("a theme that includes itself ends, and one of property lists has no rules", async () => {
  assert.deepEqual(await rulesOf("/My Thèmes/endless.json", read), []);
  assert.deepEqual(await rulesOf("/My Thèmes/old.json", read), []);
});

const GRAMMAR = `{"scopeName": "source.toy", "patterns": [
  {"match": "\\\\breturn\\\\b", "name": "keyword"}, {"begin": "'", "end": "'", "name": "string"}]}`;

test("code is painted in the theme's colours, and a string goes on in the next line", async () => {
  await loadWASM({ data: await readFile("node_modules/vscode-oniguruma/release/onig.wasm") });
  const registry = new Registry({
    onigLib: Promise.resolve({ createOnigScanner, createOnigString }),
    loadGrammar: () => Promise.resolve(parseRawGrammar(GRAMMAR, "toy.json")),
    theme: { settings: await rulesOf("/My Thèmes/dark.json", read) },
  });
  const grammar = await registry.loadGrammar("source.toy");
  assert.ok(grammar);
  const painted = paint(grammar, registry.getColorMap(), ["return 'a", "b' x"]);
  assert.deepEqual(painted, [
    [[0, "#FF0000", "italic"], [6, "", ""], [7, "#00FF00", "italic"]],
    [[0, "#00FF00", "italic"], [2, "", ""]],
  ]);
});

test("a language's grammar is found, and those that want a say in it", () => {
  const grammars = [
    { language: "python", scopeName: "source.python", path: "a" },
    { scopeName: "source.todo", path: "b", injectTo: ["source.python"] },
  ];
  assert.equal(scopeOf(grammars, "python"), "source.python");
  assert.equal(scopeOf(grammars, "zig"), undefined);
  assert.deepEqual(injectionsTo(grammars, "source.python"), ["source.todo"]);
});
