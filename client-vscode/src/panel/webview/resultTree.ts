/** The results: files with their places, for the mouse, the keyboard and screen readers. */

import type { Way } from "../../opening";
import type { AnswerView, FromPage, HitView, Paint } from "../messages";
import { byId } from "./elements";
import { drawFile, drawLines } from "./drawing";
import { headline } from "../headline";

interface Owner {
  tell(message: FromPage): void;
  /** The way up, from the first row. */
  up(): void;
}

export class ResultTree {
  readonly #root = byId("results");
  #hits = new Map<string, HitView>();
  /** Files that somebody has folded, by their names: answers come with each key. */
  readonly #folded = new Set<string>();

  constructor(private readonly owner: Owner) {
    this.#root.addEventListener("click", (event) => {
      this.#clicked(event, event.altKey ? "side" : "preview");
    });
    this.#root.addEventListener("dblclick", (event) => {
      this.#clicked(event, "pin");
    });
    this.#root.addEventListener("keydown", (event) => {
      this.#key(event);
    });
  }

  show(answer: AnswerView | undefined): void {
    const hasFocus = this.#root.contains(document.activeElement);
    const key = hasFocus ? this.#selected?.dataset["key"] : undefined;
    const files = answer?.files ?? [];
    this.#hits = new Map(files.flatMap((file) => file.hits).map((hit) => [hit.id, hit]));
    this.#root.replaceChildren(...files.map((file) => drawFile(file, this.#folded.has(`${file.folder}/${file.name}`))));
    const summary = byId("summary");
    summary.textContent = headline(answer);
    summary.dataset["stage"] = answer === undefined ? "" : answer.isFinal ? "full" : "first";
    const rows = this.#rows;
    this.#select(rows.find((row) => row.dataset["key"] === key) ?? rows[0], hasFocus);
  }

  /** Colours come after the text: they need the theme and the language's grammar. */
  paint(id: string, paints: readonly (readonly Paint[])[]): void {
    const hit = this.#hits.get(id);
    const snippet = this.#row(id)?.querySelector(".snippet");
    if (hit !== undefined && snippet) {
      snippet.replaceChildren(...drawLines(hit, paints));
    }
  }

  select(id: string): void {
    const row = this.#row(id);
    const file = row?.closest<HTMLElement>(".file");
    if (row && file) {
      this.#fold(file, false);
      this.#select(row, false);
    }
  }

  focus(): void {
    this.#select(this.#selected ?? this.#rows[0], true);
  }

  get #rows(): HTMLElement[] {
    const all = this.#root.querySelectorAll<HTMLElement>("[role=treeitem]");
    return [...all].filter((row) => row.parentElement?.closest("[aria-expanded=false]") === null);
  }

  get #selected(): HTMLElement | undefined {
    return this.#root.querySelector<HTMLElement>("[aria-selected=true]") ?? undefined;
  }

  #row(id: string): HTMLElement | undefined {
    return this.#root.querySelector<HTMLElement>(`.hit[data-id="${CSS.escape(id)}"]`) ?? undefined;
  }

  /** One row can be reached by Tab; the arrows move which one. */
  #select(row: HTMLElement | undefined, takesFocus: boolean): void {
    for (const each of this.#root.querySelectorAll("[role=treeitem]")) {
      each.setAttribute("aria-selected", String(each === row));
      each.setAttribute("tabindex", each === row ? "0" : "-1");
    }
    row?.scrollIntoView({ block: "nearest" });
    if (takesFocus) {
      row?.focus({ preventScroll: true });
    }
  }

  #clicked(event: Event, way: Way): void {
    const target = event.target as Element;
    const row = target.closest<HTMLElement>("[role=treeitem]");
    if (row === null) {
      return;
    }
    this.#select(row, true);
    if (target.closest(".twistie")) {
      this.#fold(row, row.getAttribute("aria-expanded") === "true");
    } else if (target.closest(".similar")) {
      this.owner.tell({ type: "similar", id: idOf(row) });
    } else {
      this.#open(row, way);
    }
  }

  #open(row: HTMLElement, way: Way): void {
    this.owner.tell({ type: "open", id: idOf(row), way });
  }

  #fold(file: HTMLElement, isFolded: boolean): void {
    file.setAttribute("aria-expanded", String(!isFolded));
    this.#folded[isFolded ? "add" : "delete"](file.dataset["key"] ?? "");
  }

  #key(event: KeyboardEvent): void {
    const row = (event.target as Element).closest<HTMLElement>("[role=treeitem]");
    if (row === null || event.ctrlKey || event.metaKey) {
      return;
    }
    switch (event.key) {
      case "ArrowDown":
        this.#step(row, 1);
        break;
      case "ArrowUp":
        this.#step(row, -1);
        break;
      case "Home":
        this.#select(this.#rows[0], true);
        break;
      case "End":
        this.#select(this.#rows.at(-1), true);
        break;
      case "ArrowLeft":
        this.#left(row);
        break;
      case "ArrowRight":
        this.#right(row);
        break;
      case "Enter":
        if (event.shiftKey) {
          this.owner.tell({ type: "similar", id: idOf(row) });
        } else {
          this.#open(row, event.altKey ? "side" : "pin");
        }
        break;
      case " ":
        this.#open(row, "preview");
        break;
      default:
        return;
    }
    event.preventDefault();
  }

  #step(row: HTMLElement, step: 1 | -1): void {
    const rows = this.#rows;
    const next = rows.indexOf(row) + step;
    if (next < 0) {
      this.owner.up();
    } else {
      this.#select(rows[Math.min(next, rows.length - 1)], true);
    }
  }

  #left(row: HTMLElement): void {
    if (row.getAttribute("aria-expanded") === "true") {
      this.#fold(row, true);
    } else {
      this.#select(row.closest<HTMLElement>(".file") ?? row, true);
    }
  }

  #right(row: HTMLElement): void {
    if (row.getAttribute("aria-expanded") === "false") {
      this.#fold(row, false);
    } else if (row.classList.contains("file")) {
      this.#step(row, 1);
    }
  }
}

/** A file stands for its best place. */
function idOf(row: HTMLElement): string {
  return row.dataset["id"] ?? "";
}
