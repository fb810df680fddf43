/** What reads grammars: half of our code by size, so a file of its own that is loaded with the first result. */

export { loadWASM, createOnigScanner, createOnigString } from "vscode-oniguruma";
export { parseRawGrammar, Registry } from "vscode-textmate";
