/** A line cut into runs that look the same: its colours and the words that match, laid over each other. */

import type { Line, Paint } from "./messages";

export interface Segment {
  readonly text: string;
  readonly isMark: boolean;
  readonly colour: string;
  readonly style: string;
}

export function segments({ text, marks }: Line, paints: readonly Paint[] = []): Segment[] {
  const cuts = [0, text.length, ...marks.flat(), ...paints.map(([start]) => start)];
  const edges = [...new Set(cuts)].filter((cut) => cut >= 0 && cut <= text.length).sort((one, other) => one - other);
  return edges.slice(0, -1).map((start, at) => {
    const [, colour = "", style = ""] = paints.findLast(([from]) => from <= start) ?? [];
    const isMark = marks.some(([from, to]) => from <= start && start < to);
    return { text: text.slice(start, edges[at + 1]), isMark, colour, style };
  });
}
