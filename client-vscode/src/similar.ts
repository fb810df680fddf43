/** Whose like is looked for: what somebody selected, or else the symbol at the cursor. */

import { Range, commands, window, type DocumentSymbol, type Position, type TextDocument } from "vscode";
import { blockAround } from "./blocks";
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

/** The innermost symbol around a position, or the block where nobody knows of one. */
async function around(document: TextDocument, position: Position): Promise<Range> {
  const found = await commands.executeCommand<readonly DocumentSymbol[] | undefined>(
    "vscode.executeDocumentSymbolProvider",
    document.uri,
  );
  return innermost(found ?? [], position) ?? block(document, position);
}

function innermost(symbols: readonly Partial<DocumentSymbol>[], position: Position): Range | undefined {
  for (const { range, children = [] } of symbols) {
    if (range?.contains(position)) {
      return innermost(children.filter(({ range: inner }) => !inner.isSingleLine), position) ?? range;
    }
  }
  return undefined;
}

function block(document: TextDocument, position: Position): Range {
  const lines = Array.from({ length: document.lineCount }, (_, at) => document.lineAt(at).text);
  const [first, last] = blockAround(lines, position.line);
  return new Range(first, 0, last, lines[last]?.length ?? 0);
}
