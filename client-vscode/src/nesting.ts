/** Dotted names as objects in objects. */

/** `[["index.workers", 2]]` as `{ index: { workers: 2 } }`; names are two words long at the most. */
export function nested(values: Iterable<readonly [string, unknown]>): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  for (const [name, value] of values) {
    const [group = name, key] = name.split(".", 2);
    if (key === undefined) {
      found[group] = value;
    } else {
      found[group] = { ...(found[group] as Record<string, unknown> | undefined), [key]: value };
    }
  }
  return found;
}
