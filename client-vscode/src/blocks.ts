/** The block of code around a line, by indentation: for languages whose symbols nobody knows. */

/** The first and the last line of the innermost block that holds this line, and more than this line. */
export function blockAround(lines: readonly string[], at: number): [first: number, last: number] {
  for (let head = headOf(lines, at); head !== undefined; head = parentOf(lines, head)) {
    const last = endOf(lines, head);
    if (last > head) {
      return [head, Math.max(last, at)];
    }
  }
  return paragraph(lines, at);
}

/** The line itself, or the one above that a blank line belongs to. */
function headOf(lines: readonly string[], at: number): number | undefined {
  let head = at;
  while (head >= 0 && isBlank(lines[head])) {
    head -= 1;
  }
  return head < 0 ? undefined : head;
}

/** The next line above that is indented less. */
function parentOf(lines: readonly string[], at: number): number | undefined {
  const found = lines.slice(0, at).findLastIndex((line) => !isBlank(line) && indent(line) < indent(lines[at]));
  return found === -1 ? undefined : found;
}

/** The last line below that is indented more; a bracket that closes the block belongs to it. */
function endOf(lines: readonly string[], head: number): number {
  let last = head;
  for (let at = head + 1; at < lines.length; at += 1) {
    if (isBlank(lines[at])) {
      continue;
    }
    if (indent(lines[at]) <= indent(lines[head])) {
      return last > head && /^\s*[)\]}]/.test(lines[at] ?? "") ? at : last;
    }
    last = at;
  }
  return last;
}

/** The lines around that no blank line parts. */
function paragraph(lines: readonly string[], at: number): [first: number, last: number] {
  let [first, last] = [at, at];
  while (first > 0 && !isBlank(lines[first - 1])) {
    first -= 1;
  }
  while (last + 1 < lines.length && !isBlank(lines[last + 1])) {
    last += 1;
  }
  return [first, last];
}

function isBlank(line: string | undefined): boolean {
  return line === undefined || line.trim() === "";
}

function indent(line: string | undefined): number {
  return /^\s*/.exec(line ?? "")?.[0].length ?? 0;
}
