/** What the panel's page and the extension say to each other; of places only their ids ever come from the page. */

import type { Way } from "../opening";
import { readForm, type Form } from "./form";

/** A run of characters of a line: `[start, end]`. */
export type Span = readonly [number, number];

/** A run of characters in one colour: where it starts, and the colour; it ends where the next one starts. */
export type Paint = readonly [start: number, colour: string, style: string];

export interface Line {
  readonly text: string;
  /** The words that match. */
  readonly marks: readonly Span[];
}

export interface HitView {
  readonly id: string;
  /** As people count, from 1. */
  readonly line: number;
  readonly symbol: string;
  readonly container: string;
  readonly kind: string;
  readonly lines: readonly Line[];
  /** The number of the first of `lines`, from 1. */
  readonly firstLine: number;
}

/** One entry of the answer: a file with its best place and what else is in it. */
export interface FileView {
  readonly name: string;
  readonly folder: string;
  readonly language: string;
  readonly label: "strong" | "good" | "weak";
  /** Why it is here, for whoever hovers. */
  readonly why: string;
  readonly isVerified: boolean;
  readonly hits: readonly HitView[];
}

export interface AnswerView {
  readonly files: readonly FileView[];
  /** What the answer is to, where that is not the form. */
  readonly title: string;
  /** What is to be known of it: that it is incomplete, and why. */
  readonly remarks: readonly string[];
  readonly tookMs: number;
  readonly isFinal: boolean;
}

export interface SavedSearch {
  readonly form: Form;
  readonly isPinned: boolean;
}

export interface Choice {
  readonly id: string;
  readonly label: string;
}

export interface Notice {
  readonly text: string;
  readonly actions: readonly Choice[];
}

export type ToPage =
  | { readonly type: "form"; readonly form: Form }
  | { readonly type: "choices"; readonly folders: readonly Choice[]; readonly languages: readonly string[]; readonly kinds: readonly string[] }
  | { readonly type: "searches"; readonly searches: readonly SavedSearch[] }
  | { readonly type: "answer"; readonly answer: AnswerView | undefined }
  | { readonly type: "error"; readonly message: string; readonly hint: string }
  | { readonly type: "paints"; readonly id: string; readonly paints: readonly (readonly Paint[])[] }
  | { readonly type: "busy"; readonly isBusy: boolean }
  | { readonly type: "notice"; readonly notice: Notice | undefined }
  | { readonly type: "select"; readonly id: string }
  | { readonly type: "focus" };

export type FromPage =
  | { readonly type: "ready"; readonly form: Form }
  | { readonly type: "search"; readonly form: Form; readonly isFinal: boolean }
  | { readonly type: "open"; readonly id: string; readonly way: Way }
  | { readonly type: "similar"; readonly id: string }
  | { readonly type: "pin" | "forget"; readonly form: Form }
  | { readonly type: "act"; readonly id: string };

const WAYS: ReadonlySet<unknown> = new Set<Way>(["preview", "pin", "side"]);

/** A message of the page; undefined for anything that it never sends. */
export function readMessage(value: unknown): FromPage | undefined {
  const message = value as Partial<Record<"type" | "id" | "way" | "form" | "isFinal", unknown>> | null;
  const form = readForm(message?.form);
  const id = typeof message?.id === "string" ? message.id : undefined;
  switch (message?.type) {
    case "ready":
    case "pin":
    case "forget":
      return form && { type: message.type, form };
    case "search":
      return form && { type: "search", form, isFinal: message.isFinal === true };
    case "open":
      return id !== undefined && WAYS.has(message.way) ? { type: "open", id, way: message.way as Way } : undefined;
    case "similar":
    case "act":
      return id === undefined ? undefined : { type: message.type, id };
    default:
      return undefined;
  }
}
