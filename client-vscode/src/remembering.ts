/** Lists of searches: what is added, pinned and forgotten. */

import { isSame, readForm, summary, type Form } from "./panel/form";
import type { SavedSearch } from "./panel/messages";

export const MOST_RECENT = 30;

/** With this search as the latest one; a pinned one stays where it is. */
export function remembered(searches: readonly SavedSearch[], form: Form): SavedSearch[] {
  if (summary(form) === "" || searches.some((each) => each.isPinned && isSame(each.form, form))) {
    return [...searches];
  }
  return sorted([{ form, isPinned: false }, ...without(searches, form)]);
}

/** With this search pinned, or not any more. */
export function pinned(searches: readonly SavedSearch[], form: Form): SavedSearch[] {
  if (summary(form) === "") {
    return [...searches];
  }
  const isPinned = searches.some((each) => each.isPinned && isSame(each.form, form));
  return sorted([{ form, isPinned: !isPinned }, ...without(searches, form)]);
}

export function forgotten(searches: readonly SavedSearch[], form: Form): SavedSearch[] {
  return without(searches, form);
}

/** What the workspace kept; another version may have written it. */
export function readSearches(value: unknown): SavedSearch[] {
  const rows = Array.isArray(value) ? (value as unknown[]) : [];
  return rows.flatMap((row) => {
    const { form, isPinned } = (row ?? {}) as { form?: unknown; isPinned?: unknown };
    const read = readForm(form);
    return read === undefined ? [] : [{ form: read, isPinned: isPinned === true }];
  });
}

function without(searches: readonly SavedSearch[], form: Form): SavedSearch[] {
  return searches.filter((each) => !isSame(each.form, form));
}

function sorted(searches: readonly SavedSearch[]): SavedSearch[] {
  const recent = searches.filter((each) => !each.isPinned).slice(0, MOST_RECENT);
  return [...searches.filter((each) => each.isPinned), ...recent];
}
