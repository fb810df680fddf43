/** Whose like is looked for: what somebody selected, or else the symbol at the cursor. */

import { Range, commands, window, type DocumentSymbol, type Position, type TextDocument } from "vscode";
import { plainRange } from "./opening";
import type { SimilarParams } from "./protocol";

/** A place and how to call it. */
export interface Named {
  readonly place: SimilarParams;
  readonly title: string;
}

/** The place in the active editor; none where no editor is active. */
export async function placeAtCursor(): Promise<Named | undefined> {
  const editor = window.activeTextEditor;
  if (editor === undefined) {
    return undefined;
  }
  const { document, selection } = editor;
  const range = selection.isEmpty ? await around(document, selection.active) : selection;
  return named({ textDocument: { uri: document.uri.toString() }, range: plainRange(range) });
}

export function named(place: SimilarParams): Named {
  const { start, end } = place.range;
  const file = decodeURIComponent(place.textDocument.uri.split("/").at(-1) ?? "");
  const lines = end.line > start.line ? `${start.line + 1}\u2013${end.line + 1}` : String(start.line + 1);
  return { place, title: `Similar to ${file}:${lines}` };
}

/** The innermost symbol around a position, or the paragraph where nobody knows of one. */
async function around(document: TextDocument, position: Position): Promise<Range> {
  const found = await commands.executeCommand<readonly DocumentSymbol[] | undefined>(
    "vscode.executeDocumentSymbolProvider",
    document.uri,
  );
  return innermost(found ?? [], position) ?? paragraph(document, position);
}

function innermost(symbols: readonly Partial<DocumentSymbol>[], position: Position): Range | undefined {
  for (const { range, children = [] } of symbols) {
    if (range?.contains(position)) {
      return innermost(children.filter(({ range: inner }) => !inner.isSingleLine), position) ?? range;
    }
  }
  return undefined;
}

function paragraph(document: TextDocument, position: Position): Range {
  const isText = (line: number): boolean =>
    line >= 0 && line < document.lineCount && !document.lineAt(line).isEmptyOrWhitespace;
  let [first, last] = [position.line, position.line];
  while (isText(first - 1)) {
    first -= 1;
  }
  while (isText(last + 1)) {
    last += 1;
  }
  return new Range(first, 0, last, document.lineAt(last).text.length);
}
