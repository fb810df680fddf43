/** Lines of code in the colours of a theme, by a TextMate grammar. */

import type { IGrammar, StateStack } from "vscode-textmate";
import type { Paint } from "../panel/messages";

/** How a token's attributes are packed: `EncodedTokenAttributes` of vscode-textmate. */
const FONT_STYLE = { shift: 11, mask: 0b1111 };
const FOREGROUND = { shift: 15, mask: 0b1_1111_1111 };
const STYLES = [
  [1, "italic"],
  [2, "bold"],
  [4, "underline"],
] as const;
/** The theme's own foreground, which the page has from its styles. */
const DEFAULT_COLOUR = 1;
/** As the workbench itself has it. */
const MOST_MS_A_LINE = 500;

/**
 * The colours of each line. A snippet begins in the middle of a file, so the grammar may take the rest of a comment for
 * code; at the next definition it is right again.
 */
export function paint(grammar: IGrammar, colours: readonly string[], lines: readonly string[]): Paint[][] {
  let state: StateStack | null = null;
  return lines.map((line) => {
    const result = grammar.tokenizeLine2(line, state, MOST_MS_A_LINE);
    state = result.ruleStack;
    return paints(result.tokens, colours);
  });
}

function paints(tokens: Uint32Array, colours: readonly string[]): Paint[] {
  return Array.from({ length: tokens.length / 2 }, (_, at): Paint => {
    const [start = 0, attributes = 0] = tokens.subarray(2 * at);
    const colour = part(attributes, FOREGROUND);
    const font = part(attributes, FONT_STYLE);
    const style = STYLES.filter(([bit]) => (font & bit) !== 0).map(([, name]) => name);
    return [start, colour === DEFAULT_COLOUR ? "" : (colours[colour] ?? ""), style.join(" ")];
  });
}

function part(attributes: number, { shift, mask }: { shift: number; mask: number }): number {
  return (attributes >>> shift) & mask;
}
