/** Themes as extensions contribute them: which one is on, and its colours for code. */

import { dirname, join } from "node:path";
import { parse } from "jsonc-parser";

/** A theme of an extension. */
export interface ContributedTheme {
  readonly id?: string;
  readonly label: string;
  readonly uiTheme: string;
  readonly path: string;
}

export interface Rule {
  readonly scope?: string | string[];
  readonly settings: { readonly foreground?: string; readonly background?: string; readonly fontStyle?: string };
}

/** Reads a file; rejects where it cannot. */
export type Read = (path: string) => Promise<string>;

interface ThemeFile {
  readonly include?: string;
  readonly tokenColors?: unknown;
  readonly colors?: Readonly<Record<string, string>>;
}

const DEEPEST = 8;

/**
 * The theme of this name among those of this kind, else the first of the kind.
 *
 * What the settings name need not be on: the system may have switched to dark. `Default Dark Modern` is an older name
 * of `Dark Modern`.
 */
export function pickTheme<T extends ContributedTheme>(themes: readonly T[], name: string, uiTheme: string): T | undefined {
  const alike = themes.filter((theme) => theme.uiTheme === uiTheme);
  const names = new Set([name, name.replace(/^Default /, "")]);
  return alike.find(({ id, label }) => names.has(id ?? label)) ?? alike[0];
}

/** A theme's rules for code, those of the files it includes first, as later ones win. */
export async function rulesOf(path: string, read: Read, depth = 0): Promise<Rule[]> {
  const { include, tokenColors, colors } = parse(await read(path)) as ThemeFile;
  const inherited = include === undefined || depth > DEEPEST ? [] : await rulesOf(join(dirname(path), include), read, depth + 1);
  const foreground = colors?.["editor.foreground"];
  const own = Array.isArray(tokenColors) ? (tokenColors as Rule[]) : []; // a path leads to a property list: not read
  return [...inherited, ...(foreground === undefined ? [] : [{ settings: { foreground } }]), ...own];
}
