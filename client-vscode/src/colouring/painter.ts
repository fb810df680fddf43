/** The colours that the workbench gives to code: it tells them to nobody, so they are worked out as it does. */

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { ColorThemeKind, extensions, window, workspace, type ExtensionContext, type LogOutputChannel } from "vscode";
import type { IGrammar, Registry } from "vscode-textmate";
import type { Paint } from "../panel/messages";
import { injectionsTo, scopeOf, type ContributedGrammar } from "./grammars";
import { pickTheme, rulesOf, type ContributedTheme } from "./themes";
import { paint } from "./tokens";

const UI_THEMES: Readonly<Record<ColorThemeKind, string>> = {
  [ColorThemeKind.Light]: "vs",
  [ColorThemeKind.Dark]: "vs-dark",
  [ColorThemeKind.HighContrast]: "hc-black",
  [ColorThemeKind.HighContrastLight]: "hc-light",
};

/** A grammar registry with a theme. */
interface Palette {
  readonly registry: Registry;
  readonly grammars: readonly ContributedGrammar[];
}

export class Painter {
  #palette: Promise<Palette> | undefined;

  constructor(
    private readonly context: ExtensionContext,
    private readonly log: LogOutputChannel,
  ) {
    const forget = (): void => {
      this.#palette = undefined;
    };
    context.subscriptions.push(window.onDidChangeActiveColorTheme(forget), extensions.onDidChange(forget));
  }

  /** The colours of lines in a language; none where its grammar or the theme cannot be read. */
  async paint(lines: readonly string[], language: string): Promise<Paint[][]> {
    try {
      this.#palette ??= this.#load();
      const { registry, grammars } = await this.#palette;
      const grammar = await loaded(registry, scopeOf(grammars, language));
      return grammar === undefined ? [] : paint(grammar, registry.getColorMap(), lines);
    } catch (error) {
      this.log.debug(`No colours for ${language}: ${String(error)}`); // the text is there all the same
      return [];
    }
  }

  /** Loaded with the first result: most windows close without one. */
  async #load(): Promise<Palette> {
    const { Registry, parseRawGrammar, loadWASM, createOnigScanner, createOnigString } = await import("./textmate.js");
    const grammars = contributed<ContributedGrammar>("grammars");
    const wasm = readFile(join(this.context.extensionPath, "dist", "onig.wasm"));
    const registry = new Registry({
      onigLib: wasm.then((data) => loadWASM({ data })).then(() => ({ createOnigScanner, createOnigString })),
      loadGrammar: async (scopeName) => {
        const found = grammars.find((grammar) => grammar.scopeName === scopeName);
        return found && parseRawGrammar(await readFile(found.path, "utf8"), found.path);
      },
      getInjections: (scopeName) => injectionsTo(grammars, scopeName),
      theme: { settings: await themeRules() },
    });
    return { registry, grammars };
  }
}

async function loaded(registry: Registry, scopeName: string | undefined): Promise<IGrammar | undefined> {
  return scopeName === undefined ? undefined : ((await registry.loadGrammar(scopeName)) ?? undefined);
}

async function themeRules(): ReturnType<typeof rulesOf> {
  const name = workspace.getConfiguration("workbench").get("colorTheme", "");
  const theme = pickTheme(contributed<ContributedTheme>("themes"), name, UI_THEMES[window.activeColorTheme.kind]);
  return theme === undefined ? [] : rulesOf(theme.path, (path) => readFile(path, "utf8"));
}

/** What all extensions contribute to a point, with whole paths. */
function contributed<T extends { readonly path: string }>(point: "grammars" | "themes"): T[] {
  return extensions.all.flatMap(({ packageJSON, extensionPath }) => {
    const { contributes = {} } = packageJSON as { contributes?: Partial<Record<typeof point, T[]>> };
    return (contributes[point] ?? []).map((each) => ({ ...each, path: join(extensionPath, each.path) }));
  });
}
