/** The palette's commands: which is done by whom, on one screen. Their ids are not those of the server's commands. */

import { commands, type Disposable } from "vscode";
import { explainFile, pause, reindex, runDoctor, showStatus } from "./asks";
import type { Sightline } from "./extension";
import { telling } from "./failures";
import { offerInstall } from "./installing";
import { open } from "./opening";
import type { SimilarParams } from "./protocol";
import { quickSearch } from "./quickSearch";
import { named, placeAtCursor } from "./similar";
import { showMenu } from "./status";

type Command = (sightline: Sightline, argument?: unknown) => unknown;

const COMMANDS: Readonly<Record<string, Command>> = {
  "sightline.openPanel": ({ panel }) => panel.focus(),
  "sightline.quickSearch": (sightline, query) => {
    quickSearch(sightline, typeof query === "string" ? query : "");
  },
  "sightline.findSimilar": findSimilar,
  "sightline.findSimilarInTree": findSimilarInTree,
  "sightline.nextHit": (sightline) => move(sightline, 1),
  "sightline.previousHit": (sightline) => move(sightline, -1),
  "sightline.showMenu": ({ session }) => showMenu(session),
  "sightline.showStatus": showStatus,
  "sightline.runDoctor": runDoctor,
  "sightline.reindex": reindex,
  "sightline.pauseIndexing": (sightline) => pause(sightline, true),
  "sightline.resumeIndexing": (sightline) => pause(sightline, false),
  "sightline.whyNotIndexed": explainFile,
  "sightline.showLog": ({ session }) => {
    session.log.show();
  },
  "sightline.restartServer": ({ session }) => session.restart(),
  "sightline.installServer": ({ session }) => offerInstall(session),
  "sightline.clearHistory": ({ history }) => history.clear(),
};

export function registerCommands(sightline: Sightline): Disposable[] {
  return Object.entries(COMMANDS).map(([id, command]) =>
    commands.registerCommand(id, (argument: unknown) => telling(() => command(sightline, argument))),
  );
}

/** Called with a place by the panel, the quick search and the code action; with a file, or nothing, by menus. */
async function findSimilar({ panel }: Sightline, argument: unknown): Promise<void> {
  const found = await placeOf(argument);
  if (found !== undefined) {
    await panel.showSimilar(found.place, found.title);
  }
}

async function findSimilarInTree({ references }: Sightline, argument: unknown): Promise<void> {
  const found = await placeOf(argument);
  if (found !== undefined && !(await references.show(found.place))) {
    throw new Error("The references view is switched off.");
  }
}

function placeOf(argument: unknown): Promise<ReturnType<typeof named> | undefined> {
  const isPlace = typeof argument === "object" && argument !== null && "textDocument" in argument;
  return isPlace ? Promise.resolve(named(argument as unknown as SimilarParams)) : placeAtCursor();
}

async function move({ hits }: Sightline, step: 1 | -1): Promise<void> {
  const place = hits.move(step);
  if (place !== undefined) {
    await open(place, "preview");
  }
}
