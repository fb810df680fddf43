/** Completion of the filter language in the query box. */

export interface Vocabulary {
  readonly languages: readonly string[];
  readonly kinds: readonly string[];
}

export interface Completion {
  readonly label: string;
  readonly hint: string;
  /** The whole text of the box afterwards, and where the cursor is then. */
  readonly text: string;
  readonly cursor: number;
}

const KEYS: Readonly<Record<string, string>> = {
  "lang:": "files in a language",
  "kind:": "functions, classes, headings ...",
  "path:": "files at, below or matching a path",
  "file:": "files of a name",
  "changed:": "files that differ from the default branch",
  "project:": "other projects than the folder's, by name or id",
};
const MOST = 8;
const SHORTEST_KEY = 2;

/** What the word before the cursor may become; nothing inside quotes, which hold text as it is. */
export function complete(text: string, cursor: number, { languages, kinds }: Vocabulary): Completion[] {
  const before = text.slice(0, cursor);
  if ((before.match(/"/g) ?? []).length % 2 === 1) {
    return [];
  }
  const start = before.search(/\S*$/);
  const [, sign = "", key, value = ""] = /^(-?)(?:(lang|kind):)?(.*)$/.exec(before.slice(start)) ?? [];
  const put = (from: number, word: string, end: string): Pick<Completion, "text" | "cursor"> => {
    const head = `${text.slice(0, from)}${word}${end}`;
    return { text: head + text.slice(cursor).replace(/^\S*\s?/, ""), cursor: head.length };
  };
  if (key === undefined) {
    const keys = value.length < SHORTEST_KEY ? [] : Object.entries(KEYS).filter(([each]) => each.startsWith(value));
    return keys.map(([each, hint]) => ({ label: sign + each, hint, ...put(start + sign.length, each, "") }));
  }
  const [, typed = ""] = /([^,]*)$/.exec(value) ?? [];
  const known = key === "lang" ? languages : kinds;
  const found = known.filter((each) => each.startsWith(typed.toLowerCase()) && each !== typed).slice(0, MOST);
  return found.map((each) => ({ label: each, hint: "", ...put(cursor - typed.length, each, " ") }));
}
