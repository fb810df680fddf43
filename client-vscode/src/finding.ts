/** Where the server is: the setting, the workspace's Python, what we installed, the PATH; the first that has it. */

/** A command, its words, and who named it. */
export interface Found {
  readonly command: readonly [string, ...string[]];
  readonly source: "setting" | "interpreter" | "own" | "path";
}

/** What finding needs to know of the machine. */
export interface Machine {
  /** The words of the setting; none: it is not set. */
  readonly setting: readonly string[];
  /** Interpreters of the workspace, best first; none where it is not trusted. */
  interpreters(): Promise<readonly string[]>;
  /** Whether this Python has Sightline. */
  hasSightline(python: string): Promise<boolean>;
  /** The server that "Install" put into our storage, if it is there. */
  own(): Promise<string | undefined>;
  /** The program of this name on the PATH, if there is one. */
  onPath(program: string): Promise<string | undefined>;
}

export async function findServer(machine: Machine): Promise<Found | undefined> {
  const [program, ...words] = machine.setting;
  if (program !== undefined) {
    return { command: [program, ...words], source: "setting" };
  }
  for (const python of await machine.interpreters()) {
    if (await machine.hasSightline(python)) {
      return { command: [python, "-m", "sightline"], source: "interpreter" };
    }
  }
  const own = await machine.own();
  if (own !== undefined) {
    return { command: [own], source: "own" };
  }
  const onPath = await machine.onPath("sightline");
  return onPath === undefined ? undefined : { command: [onPath], source: "path" };
}

/** The folders of the PATH; Windows may write its name in any case. */
export function pathFolders(environment: Readonly<Record<string, string | undefined>>, separator: string): string[] {
  const name = Object.keys(environment).find((each) => each.toUpperCase() === "PATH");
  return (name === undefined ? "" : (environment[name] ?? "")).split(separator).filter((folder) => folder !== "");
}
