/** An answer as the panel shows it. */

import type { Answer, Hit } from "../protocol";
import type { AnswerView, FileView, HitView, Line, Span } from "./messages";

const LINES_BEFORE = 2;
const LINES_AFTER = 4;
const LONGEST_LINE = 250;

/** What a view needs to know beside the answer. */
export interface Viewing {
  /** What the ids begin with. */
  readonly prefix: string;
  readonly isFinal: boolean;
  readonly title?: string;
  /** The name of the open folder that a file is in, where there are several. */
  folderName(uri: string): string;
}

export function toView(answer: Answer, viewing: Viewing): AnswerView {
  return {
    files: answer.hits.map((hit, at) => fileOf(hit, `${viewing.prefix}.${at}`, viewing)),
    title: viewing.title ?? "",
    remarks: remarks(answer),
    tookMs: answer.tookMs,
    isFinal: viewing.isFinal,
  };
}

function remarks(answer: Answer): string[] {
  const told = [...new Set(answer.degraded.map(({ message }) => message))];
  return told.length > 0 || answer.complete ? told : [`${answer.indexedPercent} % indexed`];
}

function fileOf(hit: Hit, id: string, viewing: Viewing): FileView {
  const cut = hit.path.lastIndexOf("/");
  const folder = [viewing.folderName(hit.uri), hit.path.slice(0, Math.max(0, cut))].filter((part) => part !== "");
  return {
    name: hit.path.slice(cut + 1),
    folder: folder.join("/"),
    language: hit.language,
    label: hit.label,
    why: why(hit),
    isVerified: hit.verified,
    hits: [bestOf(hit, id), ...furtherOf(hit, id)],
  };
}

function bestOf(hit: Hit, id: string): HitView {
  const best = hit.selectionRange.start.line;
  const all = hit.snippet.split("\n");
  const at = best - hit.snippetLine;
  const isText = (line: string): boolean => line.trim() !== "";
  const from = Math.min(at, firstFrom(all, Math.max(0, at - LINES_BEFORE), isText));
  const window = all.slice(from, at + 1 + LINES_AFTER);
  const shown = window.slice(0, window.findLastIndex(isText) + 1); // a blank line at either end shows nothing
  const { symbol, container, kind } = hit;
  const firstLine = hit.snippetLine + from;
  const lines = shown.map((text, below) => lineOf(text, hit, firstLine + below));
  return { id, line: best + 1, symbol, container, kind, lines: dedented(lines), firstLine: firstLine + 1 };
}

/** The first of these from `start` on, or `start` where there is none. */
function firstFrom<T>(values: readonly T[], start: number, isWanted: (value: T) => boolean): number {
  const found = values.findIndex((value, at) => at >= start && isWanted(value));
  return found === -1 ? start : found;
}

function furtherOf(hit: Hit, id: string): HitView[] {
  return hit.more.map(({ range, symbol }, at) => {
    const line = range.start.line + 1;
    return { id: `${id}.${at}`, line, symbol, container: "", kind: "", lines: [], firstLine: line };
  });
}

function lineOf(text: string, hit: Hit, number: number): Line {
  const marks = hit.highlights
    .filter(({ start }) => start.line === number)
    .map(({ start, end }): Span => [start.character, end.line > number ? text.length : end.character]);
  return { text: text.slice(0, LONGEST_LINE), marks: marks.filter(([start]) => start < LONGEST_LINE) };
}

/** The lines without the indentation that all of them have. */
export function dedented(lines: readonly Line[]): Line[] {
  const filled = lines.filter((line) => line.text.trim() !== "");
  const [first = ""] = filled.map((line) => /^\s*/.exec(line.text)?.[0] ?? "");
  let common = first;
  while (!filled.every((line) => line.text.startsWith(common))) {
    common = common.slice(0, -1);
  }
  const cut = common.length;
  return lines.map(({ text, marks }) => ({
    text: text.slice(cut),
    marks: marks.map(([start, end]): Span => [Math.max(0, start - cut), Math.max(0, end - cut)]),
  }));
}

const MEANINGS: Readonly<Record<Hit["label"], string>> = {
  strong: "Strong: very likely what you look for",
  good: "Good: likely what you look for",
  weak: "Weak: the best there is, perhaps not what you look for",
};

const SIGNALS: Readonly<Record<string, string>> = {
  cosine: "meaning",
  words: "words",
  fileCosine: "meaning of the file",
  fileWords: "words in the file",
  coherence: "several places in the file",
  fileName: "file name",
  noise: "test, example or generated code",
  depth: "deep folder",
  definitionName: "name of the definition",
  definedHere: "defined here",
};

/** Why a hit is where it is: what its label means, and what counted most. */
export function why({ label, signals = {} }: Pick<Hit, "label" | "signals">): string {
  const counted = Object.entries(signals)
    .filter(([, value]) => Math.abs(value) >= 0.05)
    .sort(([, one], [, other]) => Math.abs(other) - Math.abs(one))
    .map(([name, value]) => `${value > 0 ? "+" : "\u2212"}${Math.abs(value).toFixed(1)} ${SIGNALS[name] ?? name}`);
  return [MEANINGS[label], ...counted].join("\n");
}
