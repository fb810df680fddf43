import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { LiveSearch, PAUSE_MS, type Outcome, type Stage } from "../../src/asking";

/** A search whose answers arrive when the test says so. */
function searching(looksFirst = true) {
  const asked: { query: string; stage: Stage; signal: AbortSignal; answer(text: string): void; fail(): void }[] = [];
  const shown: Outcome<string>[] = [];
  const busy: boolean[] = [];
  const live = new LiveSearch<string, string>({
    ask: (query, stage, signal) =>
      new Promise((resolve, reject) => {
        asked.push({ query, stage, signal, answer: resolve, fail: () => { reject(new Error("no")); } });
      }),
    show: (outcome) => shown.push(outcome),
    looksFirst: () => looksFirst,
    busy: (isBusy) => busy.push(isBusy),
  });
  const stages = (): string[] => asked.map(({ query, stage }) => `${query} ${stage}`);
  return { live, asked, shown, busy, stages };
}

const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 5; turn += 1) {
    await Promise.resolve();
  }
};

function withTimers(name: string, run: () => Promise<void>): void {
  test(name, async () => {
    mock.timers.enable({ apis: ["setTimeout"] });
    try {
      await run();
    } finally {
      mock.timers.reset();
    }
  });
}

withTimers("a key asks for the words at once and for everything after a pause", async () => {
  const { live, stages } = searching();
  live.type("retry");
  assert.deepEqual(stages(), ["retry first"]);
  mock.timers.tick(PAUSE_MS - 1);
  assert.deepEqual(stages(), ["retry first"]);
  mock.timers.tick(1);
  assert.deepEqual(stages(), ["retry first", "retry full"]);
  await settled();
});

withTimers("a further key cancels what is in flight and puts off the whole", async () => {
  const { live, asked, shown, stages } = searching();
  live.type("r");
  mock.timers.tick(PAUSE_MS - 1);
  live.type("re");
  const [first] = asked;
  assert.equal(first?.signal.aborted, true);
  first.answer("late");
  await settled();
  assert.deepEqual(shown, []);
  mock.timers.tick(PAUSE_MS - 1);
  assert.deepEqual(stages(), ["r first", "re first"]);
});

withTimers("a first look that comes after the whole is not shown", async () => {
  const { live, asked, shown } = searching();
  live.type("retry");
  mock.timers.tick(PAUSE_MS);
  asked[1]?.answer("all");
  await settled();
  asked[0]?.answer("some");
  await settled();
  assert.deepEqual(shown, [{ stage: "full", answer: "all" }]);
  assert.equal(asked[0]?.signal.aborted, true);
});

withTimers("only the whole tells of a failure", async () => {
  const { live, asked, shown } = searching();
  live.type("lnag:");
  asked[0]?.fail();
  await settled();
  assert.equal(shown.length, 0);
  mock.timers.tick(PAUSE_MS);
  asked[1]?.fail();
  await settled();
  assert.deepEqual(shown.map((each) => "error" in each), [true]);
});

withTimers("where words alone are not wanted, nothing is asked before the pause", async () => {
  const { live, stages } = searching(false);
  live.type("retry");
  assert.deepEqual(stages(), []);
  mock.timers.tick(PAUSE_MS);
  assert.deepEqual(stages(), ["retry full"]);
  await settled();
});

withTimers("Enter asks for everything at once, and only once", async () => {
  const { live, stages } = searching();
  live.type("retry");
  void live.finish("retry");
  mock.timers.tick(PAUSE_MS * 2);
  assert.deepEqual(stages(), ["retry first", "retry full"]);
  await settled();
});

withTimers("busy ends with the answer, and with the end of the search", async () => {
  const { live, asked, busy } = searching();
  void live.finish("retry");
  assert.equal(busy.at(-1), true);
  asked[0]?.answer("all");
  await settled();
  assert.equal(busy.at(-1), false);
  void live.finish("again");
  live.stop();
  assert.equal(busy.at(-1), false);
});
