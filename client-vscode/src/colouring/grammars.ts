/** Grammars as extensions contribute them. */

/** A grammar of an extension, with the path of its file. */
export interface ContributedGrammar {
  readonly language?: string;
  readonly scopeName: string;
  readonly path: string;
  readonly injectTo?: readonly string[];
}

/** The scope that a language's code begins in. */
export function scopeOf(grammars: readonly ContributedGrammar[], language: string): string | undefined {
  return grammars.find((grammar) => grammar.language === language)?.scopeName;
}

/** The grammars that others want to have a say in this one. */
export function injectionsTo(grammars: readonly ContributedGrammar[], scopeName: string): string[] {
  return grammars.filter((grammar) => grammar.injectTo?.includes(scopeName)).map((grammar) => grammar.scopeName);
}
