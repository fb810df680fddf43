/** Which of the workbench's icons stands for which of our kinds. */

const OWN: ReadonlySet<string> = new Set([
  "class", "interface", "enum", "namespace", "method", "constructor", "property", "field", "constant", "variable", "key",
]);
const OTHERS: Readonly<Record<string, string>> = {
  struct: "structure",
  trait: "interface",
  union: "structure",
  module: "namespace",
  type: "type-parameter",
  object: "object",
  impl: "class",
  function: "function",
  macro: "function",
  heading: "string",
};

export function iconName(kind: string): string {
  const name = OWN.has(kind) ? kind : OTHERS[kind];
  return name === undefined ? "symbol-snippet" : `symbol-${name}`;
}
