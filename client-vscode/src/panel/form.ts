/** What is in the search form: the query and what narrows it. */

export interface Form {
  readonly query: string;
  readonly languages: readonly string[];
  readonly kinds: readonly string[];
  /** Globs between commas. */
  readonly include: string;
  readonly exclude: string;
  /** The id of a folder that is open; "" stands for all. */
  readonly folder: string;
}

export const EMPTY_FORM: Form = { query: "", languages: [], kinds: [], include: "", exclude: "", folder: "" };

/** The form's globs, one by one; a comma in braces separates nothing. */
export function globs(text: string): string[] {
  const parts = text.match(/(?:\{[^}]*\}|[^,{]|\{)+/g) ?? [];
  return parts.map((part) => part.trim()).filter((part) => part !== "");
}

/** Whether anything but the query is set. */
export function isNarrowed(form: Form): boolean {
  const { languages, kinds, include, exclude, folder } = form;
  return languages.length + kinds.length + globs(include).length + globs(exclude).length > 0 || folder !== "";
}

/** Whether two forms ask for the same. */
export function isSame(one: Form, other: Form): boolean {
  return JSON.stringify(ordered(one)) === JSON.stringify(ordered(other));
}

/** A form as one line, for lists of searches. */
export function summary(form: Form): string {
  const words = [
    ...form.languages.map((each) => `lang:${each}`),
    ...form.kinds.map((each) => `kind:${each}`),
    ...globs(form.include).map((each) => `path:${each}`),
    ...globs(form.exclude).map((each) => `-path:${each}`),
  ];
  return [form.query.trim(), ...words].join(" ").trim();
}

/** What was kept or sent, as a form; undefined where it is none. */
export function readForm(value: unknown): Form | undefined {
  if (typeof value !== "object" || value === null) {
    return undefined;
  }
  const { query, languages, kinds, include, exclude, folder } = value as Record<string, unknown>;
  const texts = [query, include, exclude, folder];
  if (!texts.every((each) => typeof each === "string") || !isTexts(languages) || !isTexts(kinds)) {
    return undefined;
  }
  const [asked = "", wanted = "", unwanted = "", within = ""] = texts;
  return { query: asked, languages, kinds, include: wanted, exclude: unwanted, folder: within };
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((each) => typeof each === "string");
}

function ordered(form: Form): unknown[] {
  const { query, languages, kinds, include, exclude, folder } = form;
  return [query.trim(), [...languages].sort(), [...kinds].sort(), globs(include), globs(exclude), folder];
}
