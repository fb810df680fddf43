/** What came of a search, in one line: it is shown above the results and read out. */

import type { AnswerView } from "./messages";

export function headline(answer: AnswerView | undefined): string {
  if (answer === undefined) {
    return "";
  }
  const { files, title, remarks, isFinal } = answer;
  const count = files.length === 1 ? "1 file" : `${files.length} files`;
  const found = files.length > 0 ? count : isFinal ? "Nothing was found" : "No word matches yet";
  return [title, found, ...remarks].filter((part) => part !== "").join(" \u00b7 ");
}
