import assert from "node:assert/strict";
import { test } from "node:test";
import { findServer, pathFolders, type Machine } from "../../src/finding";

function machine(parts: Partial<Machine>): Machine {
  return {
    setting: [],
    interpreters: () => Promise.resolve([]),
    hasSightline: () => Promise.resolve(false),
    own: () => Promise.resolve(undefined),
    onPath: () => Promise.resolve(undefined),
    ...parts,
  };
}

const interpreters = (): Promise<string[]> => Promise.resolve(["/one/python", "/two/python"]);
const own = (): Promise<string> => Promise.resolve("/storage/sightline");
const onPath = (program: string): Promise<string> => Promise.resolve(`/usr/bin/${program}`);
const second = (python: string): Promise<boolean> => Promise.resolve(python === "/two/python");

const CASES: [string, Partial<Machine>, string, readonly string[]][] = [
  ["the setting wins over all", { setting: ["uvx", "sightline"], interpreters, own, onPath }, "setting", ["uvx", "sightline"]],
  ["an interpreter that has it", { interpreters, hasSightline: second, own, onPath }, "interpreter", ["/two/python", "-m", "sightline"]],
  ["interpreters without it are passed over", { interpreters, own, onPath }, "own", ["/storage/sightline"]],
  ["the PATH comes last", { interpreters, onPath }, "path", ["/usr/bin/sightline"]],
];

for (const [name, parts, source, command] of CASES) {
  test(`finding a server: ${name}`, async () => {
    assert.deepEqual(await findServer(machine(parts)), { command, source });
  });
}

test("where nothing has it there is none", async () => {
  assert.equal(await findServer(machine({ interpreters })), undefined);
});

test("a setting asks nothing of the machine", async () => {
  const never = (): never => assert.fail("asked");
  const found = await findServer({ setting: ["/opt/sightline"], interpreters: never, hasSightline: never, own: never, onPath: never });
  assert.deepEqual(found?.command, ["/opt/sightline"]);
});

test("the PATH is found under any spelling, and its empty parts are no folders", () => {
  assert.deepEqual(pathFolders({ Path: "a::b" }, ":"), ["a", "b"]);
  assert.deepEqual(pathFolders({ PATH: "a;b;" }, ";"), ["a", "b"]);
  assert.deepEqual(pathFolders({}, ":"), []);
});
