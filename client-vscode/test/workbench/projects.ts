/** Folders to search: a real package, and a small one beside it. */

import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { PYTHON, RUN } from "./places.ts";

/** A copy of pygls, whose version the server's own dependencies pin. */
export function realProject(): string {
  const asked = ["-c", "import pygls; print(pygls.__file__)"];
  const source = dirname(execFileSync(PYTHON, asked, { encoding: "utf8" }).trim());
  const folder = join(mkdtempSync(join(RUN, "p-")), "pygls");
  cpSync(source, folder, { recursive: true, filter: (path) => !path.includes("__pycache__") });
  write(folder, {
    "README.md": "# A framework for language servers\n\nHow to write a language server in Python.\n",
    "web/client.js": "export function connectOverWebsocket(address) {\n  return new WebSocket(address);\n}\n",
  });
  return folder;
}

/** A folder whose words no other has. */
export function smallProject(): string {
  const folder = join(mkdtempSync(join(RUN, "p-")), "bakery");
  write(folder, {
    "ovens.py": 'def preheat_oven(degrees):\n    """Warms the oven before the loaves go in."""\n    return degrees\n',
    "orders.py": 'class CakeOrder:\n    """What a customer wants for a birthday."""\n\n    def price(self):\n        return 12\n',
  });
  return folder;
}

export function write(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}

/** The number, from 1, of the first line of a file that holds a text. */
export function lineOf(folder: string, file: string, text: string): number {
  const found = readFileSync(join(folder, file), "utf8").split("\n").findIndex((line) => line.includes(text));
  if (found === -1) {
    throw new Error(`${file} has no ${text}`);
  }
  return found + 1;
}
