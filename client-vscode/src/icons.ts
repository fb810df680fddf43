/** The workbench's icons for our kinds. */

import { ThemeIcon } from "vscode";
import { iconName } from "./panel/iconNames";

export function iconOf(kind: string): ThemeIcon {
  return new ThemeIcon(iconName(kind));
}
