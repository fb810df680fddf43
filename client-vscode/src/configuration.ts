/** What the user has set, as the server wants it. */

import { workspace } from "vscode";
import { SETTING_NAMES } from "./settingNames";
import { nested } from "./nesting";

/**
 * The server's settings that somebody has set.
 *
 * VS Code fills in defaults, and the editor wins over the environment and the folder's own file: sent to the server,
 * its defaults would hide both.
 */
export function chosenSettings(): Record<string, unknown> {
  const configuration = workspace.getConfiguration("sightline");
  const chosen = SETTING_NAMES.filter((name) => {
    const found = configuration.inspect(name);
    return [found?.globalValue, found?.workspaceValue, found?.workspaceFolderValue].some((each) => each !== undefined);
  });
  return nested(chosen.map((name) => [name, configuration.get(name)]));
}

export type Mode = "hybrid" | "lexical" | "semantic";

/** How the user wants to search. */
export function searchSettings(): { mode: Mode; limit: number } {
  const configuration = workspace.getConfiguration("sightline.search");
  return { mode: configuration.get<Mode>("mode", "hybrid"), limit: configuration.get("limit", 10) };
}

export function serverCommand(): readonly string[] {
  return workspace.getConfiguration("sightline.server").get<string[]>("command", []);
}
