import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { nested } from "../../src/nesting";
import { iconName } from "../../src/panel/iconNames";

interface Manifest {
  readonly version: string;
  readonly contributes: {
    readonly commands: readonly { readonly command: string }[];
    readonly configuration: { readonly properties: Readonly<Record<string, unknown>> };
  };
  readonly capabilities: { readonly untrustedWorkspaces: { readonly restrictedConfigurations: readonly string[] } };
}
interface Protocol {
  readonly properties: { readonly commands: { readonly properties: Readonly<Record<string, unknown>> } };
}

const json = (path: string): unknown => JSON.parse(readFileSync(path, "utf8"));
const manifest = json("package.json") as Manifest;
const protocol = json("../schemas/protocol.schema.json") as Protocol;
const commands = manifest.contributes.commands.map(({ command }) => command);

test("no command of ours has the id of one of the server's: the client registers those", () => {
  const servers = Object.keys(protocol.properties.commands.properties);
  assert.deepEqual(commands.filter((command) => servers.includes(command)), []);
});

test("every command of the palette is done by somebody, and no other is", () => {
  const table = readFileSync("src/commands.ts", "utf8");
  const done = [...table.matchAll(/^ {2}"(sightline\.\w+)":/gm)].map(([, id]) => id);
  assert.deepEqual([...done].sort(), [...commands].sort());
});

test("what an untrusted workspace may not say is a setting", () => {
  for (const name of manifest.capabilities.untrustedWorkspaces.restrictedConfigurations) {
    assert.ok(name in manifest.contributes.configuration.properties, name);
  }
});

test("no setting holds a secret", () => {
  const names = Object.keys(manifest.contributes.configuration.properties);
  assert.deepEqual(names.filter((name) => /key|password|secret|token(?!s)/i.test(name)), []);
});

test("the extension and the server have one version", () => {
  const project = readFileSync("../pyproject.toml", "utf8");
  assert.equal(/^version = "(.*)"$/m.exec(project)?.[1], manifest.version);
});

test("settings are nested as the server reads them", () => {
  const values = [["index.workers", 2], ["dataDir", "/x"], ["index.exclude", ["gen"]]] as const;
  assert.deepEqual(nested(values), { index: { workers: 2, exclude: ["gen"] }, dataDir: "/x" });
  assert.deepEqual(nested([]), {});
});

test("every icon is one of the workbench's", () => {
  const known = readFileSync("node_modules/@vscode/codicons/dist/codicon.css", "utf8");
  for (const kind of ["class", "function", "struct", "heading", "text", "type", "key", "macro", "impl", "object", "module"]) {
    assert.match(known, new RegExp(`\\.codicon-${iconName(kind)}:before`), kind);
  }
});
