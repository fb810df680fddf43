/** Answers for tests. */

import type { Answer, Hit, Range } from "../../src/protocol";

export function range(startLine: number, start: number, endLine = startLine, end = start): Range {
  return { start: { line: startLine, character: start }, end: { line: endLine, character: end } };
}

export const SNIPPET = ["    def save(self, session):", "        # keeps it", "", "        self.path.write_text(session)", "        self.count += 1"];

export function hit(changes: Partial<Hit> = {}): Hit {
  return {
    uri: "file:///shop/src/store.py",
    range: range(10, 0, 15, 0),
    selectionRange: range(13, 8, 13, 36),
    path: "src/store.py",
    projectId: "shop",
    language: "python",
    kind: "method",
    symbol: "save",
    container: "SessionStore",
    snippet: SNIPPET.join("\n"),
    snippetLine: 10,
    highlights: [range(10, 8, 10, 12), range(13, 29, 13, 36)],
    label: "strong",
    score: 0.9,
    verified: true,
    more: [{ range: range(30, 4, 40, 0), symbol: "load" }],
    ...changes,
  };
}

export function answer(changes: Partial<Answer> = {}): Answer {
  return { hits: [hit()], projects: [], complete: true, indexedPercent: 100, mode: "hybrid", degraded: [], tookMs: 4, ...changes };
}
