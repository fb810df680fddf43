/** The results' elements. */

import { iconName } from "../iconNames";
import type { FileView, HitView, Paint } from "../messages";
import { segments } from "../segments";
import { make } from "./elements";

export function drawFile(file: FileView, isFolded: boolean): HTMLElement {
  const { name, folder, label, why, hits, isVerified } = file;
  const unverified = isVerified ? "" : ", not verified: the checkout is on another host";
  const header = make(
    "div",
    { class: "header" },
    make("vscode-icon", { class: "twistie", name: "chevron-right", "aria-hidden": "true" }),
    make("span", { class: "name" }, name),
    make("span", { class: "folder", title: `${folder}/${name}` }, folder),
    make("span", { class: `label ${label}`, title: why + unverified }, label),
  );
  return make(
    "div",
    {
      class: "file",
      role: "treeitem",
      "aria-level": "1",
      "aria-expanded": String(!isFolded),
      "aria-label": `${name} in ${folder === "" ? "the root" : folder}, ${label}`,
      "aria-description": why,
      "data-id": hits[0]?.id ?? "",
      "data-label": label,
      "data-key": `${folder}/${name}`,
    },
    header,
    make("div", { class: "hits", role: "group" }, ...hits.map((hit) => drawHit(hit, `${folder}/${name}`))),
  );
}

function drawHit(hit: HitView, file: string): HTMLElement {
  const { id, line, symbol, container, kind, lines } = hit;
  const where = [container, symbol].filter((part) => part !== "").join(".");
  const what = where === "" ? `line ${line}` : `${where}, line ${line}`;
  const text = lines.map((each) => each.text).join("\n");
  const row = make(
    "div",
    {
      class: "hit",
      role: "treeitem",
      "aria-level": "2",
      "aria-label": text === "" ? what : `${kind} ${what}: ${text.slice(0, 300)}`,
      "data-id": id,
      "data-key": `${file}:${line}`,
      "data-line": String(line),
    },
    make(
      "div",
      { class: "place" },
      ...(kind === "" ? [] : [make("vscode-icon", { name: iconName(kind), "aria-hidden": "true" })]),
      ...(where === "" ? [] : [make("span", { class: "symbol" }, where)]),
      make("span", { class: "line" }, where === "" ? `line ${line}` : `:${line}`),
      make("vscode-toolbar-button", { class: "similar", icon: "references", label: "Find similar code", tabindex: "-1" }),
    ),
  );
  if (lines.length > 0) {
    row.append(make("div", { class: "snippet", "aria-hidden": "true" }, ...drawLines(hit, [])));
  }
  return row;
}

export function drawLines({ lines, firstLine, line }: HitView, paints: readonly (readonly Paint[])[]): HTMLElement[] {
  return lines.map((each, at) => {
    const runs = segments(each, paints[at]).map(({ text, isMark, colour, style }) => {
      const run = make(isMark ? "mark" : "span", style === "" ? {} : { class: style }, text);
      run.style.color = colour;
      return run;
    });
    const isBest = firstLine + at === line;
    return make("div", { class: isBest ? "code best" : "code" }, ...runs);
  });
}
