/** Going to a place, in the ways in which editors are opened. */

import { Position, Range, Selection, TextEditorRevealType, Uri, ViewColumn, window, type TextEditor } from "vscode";
import type { Place } from "./hits";
import type * as protocol from "./protocol";

/** A preview tab that keeps the focus where it is, a tab that stays, one beside the others. */
export type Way = "preview" | "pin" | "side";

export async function open({ uri, selection }: Pick<Place, "uri" | "selection">, way: Way): Promise<TextEditor> {
  const { start } = rangeOf(selection);
  const editor = await window.showTextDocument(Uri.parse(uri), {
    preview: way === "preview",
    preserveFocus: way === "preview",
    ...(way === "side" ? { viewColumn: ViewColumn.Beside } : {}),
  });
  editor.selection = new Selection(start, start);
  editor.revealRange(rangeOf(selection), TextEditorRevealType.InCenterIfOutsideViewport);
  return editor;
}

export function rangeOf({ start, end }: protocol.Range): Range {
  return new Range(new Position(start.line, start.character), new Position(end.line, end.character));
}

export function plainRange({ start, end }: Range): protocol.Range {
  const plain = ({ line, character }: Position): protocol.Position => ({ line, character });
  return { start: plain(start), end: plain(end) };
}
