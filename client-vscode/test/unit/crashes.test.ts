import assert from "node:assert/strict";
import { test } from "node:test";
import { Crashes, MOST_CRASHES, WITHIN_MS } from "../../src/crashes";

test("a server that keeps dying is given up", () => {
  const crashes = new Crashes();
  const worth = Array.from({ length: MOST_CRASHES + 1 }, (_, at) => crashes.note(at * 1000));
  assert.deepEqual(worth, [...Array<boolean>(MOST_CRASHES).fill(true), false]);
});

test("crashes of long ago do not count", () => {
  const crashes = new Crashes();
  const worth = Array.from({ length: 20 }, (_, at) => crashes.note(at * WITHIN_MS));
  assert.ok(worth.every(Boolean));
});

test("whoever restarts it starts the count anew", () => {
  const crashes = new Crashes();
  for (let at = 0; at <= MOST_CRASHES; at += 1) {
    crashes.note(at);
  }
  crashes.forget();
  assert.equal(crashes.note(MOST_CRASHES + 1), true);
});
