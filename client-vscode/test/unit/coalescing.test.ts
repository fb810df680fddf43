import assert from "node:assert/strict";
import { test } from "node:test";
import { coalesced } from "../../src/coalescing";

/** Runs that end when the test says so. */
function runs() {
  const ends: { end(): void; fail(): void }[] = [];
  const call = coalesced(
    () => new Promise<void>((resolve, reject) => ends.push({ end: resolve, fail: () => { reject(new Error("no")); } })),
  );
  return { ends, call };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("calls during a run are one run after it", async () => {
  const { ends, call } = runs();
  const first = call();
  const others = [call(), call(), call()];
  assert.equal(ends.length, 1);
  ends[0]?.end();
  await first;
  await settled();
  assert.equal(ends.length, 2);
  ends[1]?.end();
  await Promise.all(others);
  await settled();
  assert.equal(ends.length, 2);
});

test("a call after the end runs again", async () => {
  const { ends, call } = runs();
  for (const count of [1, 2, 3]) {
    const run = call();
    assert.equal(ends.length, count);
    ends.at(-1)?.end();
    await run;
    await settled();
  }
});

test("a failure is told to who asked for that run, and the next one takes place", async () => {
  const { ends, call } = runs();
  const first = call();
  const second = call();
  ends[0]?.fail();
  await assert.rejects(first);
  await settled();
  ends[1]?.end();
  await second;
});
