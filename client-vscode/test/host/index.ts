/** Tests inside the extension host: what the extension gives to VS Code itself, asked by VS Code's own interface. */

import assert from "node:assert/strict";
import { commands, extensions, window, workspace, Range, Selection, type CodeAction, type SymbolInformation, type TextEditor } from "vscode";

type Test = () => Promise<void>;

const ID = "sightline.sightline";
const PATIENCE_MS = 200_000;

/** The file of the package whose code the tests ask for. */
const FILE = "workspace/text_document.py";

const TESTS: Readonly<Record<string, Test>> = {
  "every command of the palette is there, and none has a name of the server's": async () => {
    const known = new Set(await commands.getCommands(true));
    const { contributes } = manifest();
    const ours = contributes.commands.map(({ command }) => command);
    assert.deepEqual(ours.filter((each) => !known.has(each)), []);
    const server = ["sightline.search", "sightline.similar", "sightline.status", "sightline.index", "sightline.jobs"];
    assert.deepEqual(ours.filter((each) => server.includes(each)), []);
  },
  "the server's commands answer other extensions": async () => {
    await eventually(async () => (await searched("apply a full text change to the document")).complete);
    const answer = await searched("apply a full text change to the document");
    assert.match(answer.hits[0]?.path ?? "", /text_document\.py$/);
  },
  "names are found as workspace symbols": async () => {
    const found = await commands.executeCommand<SymbolInformation[]>("vscode.executeWorkspaceSymbolProvider", "TextDocument");
    assert.ok(found.some(({ name }) => name.includes("TextDocument")), found.map(({ name }) => name).join());
  },
  "a selection has the code action": async () => {
    const { document } = await shown();
    const whole = new Range(40, 0, 60, 0);
    const found = await commands.executeCommand<CodeAction[]>("vscode.executeCodeActionProvider", document.uri, whole);
    assert.ok(found.some(({ title }) => /similar/i.test(title)), found.map(({ title }) => title).join());
  },
  "an edit that is not saved is found, and undone is not": async () => {
    const editor = await shown();
    await editor.edit((edit) => {
      edit.insert(editor.document.positionAt(0), "def juggle_seven_pineapples():\n    return 7\n\n");
    });
    await eventually(async () => {
      const [first] = (await searched("juggle seven pineapples")).hits;
      return first?.path === FILE && first.selectionRange.start.line === 0;
    });
    await commands.executeCommand("workbench.action.files.revert");
    await eventually(async () => (await searched('"juggle_seven_pineapples"')).hits.length === 0);
  },
  "quick search begins with what it is given, and goes when Escape is pressed": async () => {
    await commands.executeCommand("sightline.quickSearch", "text document");
    await commands.executeCommand("workbench.action.closeQuickOpen");
  },
  "restarts that come together are one": async () => {
    await Promise.all([1, 2, 3].map(() => commands.executeCommand("sightline.restartServer")));
    await eventually(async () => (await searched("apply a full text change")).hits.length > 0);
  },
  "a setting that changes reaches the server without a restart": async () => {
    const configuration = workspace.getConfiguration("sightline");
    const isFound = async (): Promise<boolean> => (await searched("TextDocument")).hits.some(({ path }) => path === FILE);
    await eventually(isFound);
    await configuration.update("index.exclude", ["workspace/**"]);
    await eventually(async () => !(await isFound()));
    await configuration.update("index.exclude", undefined);
    await eventually(isFound);
  },
  "F4 has nothing to go to before anything was found": async () => {
    const editor = await shown();
    editor.selection = new Selection(5, 0, 5, 0);
    await commands.executeCommand("sightline.nextHit");
    assert.equal(window.activeTextEditor?.selection.active.line, 5);
  },
};

interface Manifest {
  readonly contributes: { readonly commands: readonly { readonly command: string }[] };
}

interface Found {
  readonly complete: boolean;
  readonly hits: readonly { readonly path: string; readonly selectionRange: { readonly start: { readonly line: number } } }[];
}

function manifest(): Manifest {
  return extensions.getExtension(ID)?.packageJSON as Manifest;
}

async function searched(query: string): Promise<Found> {
  return commands.executeCommand<Found>("sightline.search", { query });
}

async function shown(): Promise<TextEditor> {
  const [file] = await workspace.findFiles(FILE);
  assert.ok(file);
  return window.showTextDocument(file);
}

async function eventually(holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  let last: unknown;
  while (Date.now() < deadline) {
    try {
      if (await holds()) {
        return;
      }
    } catch (error) {
      last = error; // there is no server yet
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw last instanceof Error ? last : new Error("it did not come about in time");
}

/** What VS Code calls; each test tells on the console how it ended. */
export async function run(): Promise<void> {
  await extensions.getExtension(ID)?.activate();
  await eventually(async () => (await searched("document")).complete);
  const failed: string[] = [];
  for (const [name, test] of Object.entries(TESTS)) {
    try {
      await test();
      console.log(`HOST passed ${name}`);
    } catch (error) {
      failed.push(name);
      console.log(`HOST failed ${name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    }
  }
  assert.deepEqual(failed, []);
}
