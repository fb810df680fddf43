/** What this machine has: interpreters, programs, and the server that we installed. */

import { execFile } from "node:child_process";
import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { extensions, workspace, type ExtensionContext, type Uri } from "vscode";
import { serverCommand } from "./configuration";
import { pathFolders, type Machine } from "./finding";

const run = promisify(execFile);
const WINDOWS = process.platform === "win32";
const PROBE_MS = 10_000;
const HAS_SIGHTLINE = "import importlib.util, sys; sys.exit(importlib.util.find_spec('sightline') is None)";

/** What we use of the Python extension's API. */
interface PythonApi {
  readonly environments?: {
    getActiveEnvironmentPath(resource?: Uri): { readonly path: string };
    resolveEnvironment(environment: {
      readonly path: string;
    }): Promise<{ readonly executable: { readonly uri?: Uri } } | undefined>;
  };
}

export function machineOf(context: ExtensionContext): Machine {
  return {
    setting: serverCommand(),
    interpreters,
    hasSightline: (python) => hasSightline(python, context.extensionPath),
    own: () => existing(join(ownFolder(context), ...inVenv("sightline"))),
    onPath,
  };
}

/** The virtual environment that "Install" makes. */
export function ownFolder(context: ExtensionContext): string {
  return join(context.globalStorageUri.fsPath, "server");
}

/** Where a virtual environment has a program. */
export function inVenv(program: string): readonly [string, string] {
  return WINDOWS ? ["Scripts", `${program}.exe`] : ["bin", program];
}

export async function onPath(program: string): Promise<string | undefined> {
  const names = WINDOWS ? [`${program}.exe`, `${program}.cmd`] : [program];
  for (const folder of pathFolders(process.env, delimiter)) {
    for (const name of names) {
      const found = await existing(join(folder, name));
      if (found !== undefined) {
        return found;
      }
    }
  }
  return undefined;
}

/**
 * The workspace's interpreters: the one that was chosen in the Python extension, and those of its own folders. None of
 * a workspace that is not trusted: to run one is to run whatever is in there.
 */
export async function interpreters(): Promise<string[]> {
  if (!workspace.isTrusted) {
    return [];
  }
  const found: string[] = [];
  for (const folder of workspace.workspaceFolders ?? []) {
    const chosen = await chosenInterpreter(folder.uri);
    const usual = [".venv", "venv"].map((name) => existing(join(folder.uri.fsPath, name, ...inVenv("python"))));
    found.push(...[chosen, ...(await Promise.all(usual))].filter((each) => each !== undefined));
  }
  return [...new Set(found)];
}

async function chosenInterpreter(folder: Uri): Promise<string | undefined> {
  const extension = extensions.getExtension<PythonApi>("ms-python.python");
  if (extension === undefined) {
    return undefined;
  }
  try {
    const { environments } = await extension.activate();
    const resolved = await environments?.resolveEnvironment(environments.getActiveEnvironmentPath(folder));
    return resolved?.executable.uri?.fsPath;
  } catch {
    return undefined; // another extension's trouble: what is in the folder is asked
  }
}

/** Asked outside the workspace: `-c` looks for modules in the folder it is run in. */
async function hasSightline(python: string, folder: string): Promise<boolean> {
  try {
    await run(python, ["-c", HAS_SIGHTLINE], { cwd: folder, timeout: PROBE_MS });
    return true;
  } catch {
    return false; // it lacks the package, or is no Python: the next one is asked
  }
}

async function existing(path: string): Promise<string | undefined> {
  try {
    await access(path, constants.X_OK);
    return path;
  } catch {
    return undefined;
  }
}
