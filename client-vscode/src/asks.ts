/** What is asked of the server besides searches, and how its answers are told. */

import { execFile } from "node:child_process";
import { window, workspace, type OutputChannel, type WorkspaceFolder } from "vscode";
import type { Sightline } from "./extension";
import type { FileExplanation, FolderStatus, Status } from "./protocol";
import { number } from "./statusText";

type Parts = Pick<Sightline, "session" | "report">;

const DOCTOR_MS = 60_000;

export async function showStatus({ session, report }: Parts): Promise<void> {
  tell(report, statusLines(await session.request("sightline/status", {})));
}

/** Runs the server's own check of this machine; it works also where the server does not. */
export async function runDoctor({ session, report }: Parts): Promise<void> {
  const { command } = session;
  const folder = await chosenFolder();
  if (command === undefined) {
    throw new Error("There is no server to run the doctor of.");
  }
  const [program, ...words] = command;
  tell(report, [`${[...command, "doctor"].join(" ")} ...`]);
  const options = { cwd: session.folder, timeout: DOCTOR_MS, env: { ...process.env, NO_COLOR: "1" } };
  const said = await new Promise<string>((resolve) => {
    execFile(program, [...words, "doctor", folder?.uri.fsPath ?? session.folder], options, (error, out, err) => {
      resolve([out, err, error === null || out !== "" ? "" : error.message].join("\n").trim());
    });
  });
  tell(report, said.split("\n"));
}

export async function reindex({ session }: Parts): Promise<void> {
  const folder = await chosenFolder();
  if (folder !== undefined) {
    await session.request("sightline/index", { folder: folder.uri.toString(), force: true });
  }
}

export async function pause({ session }: Parts, isWanted: boolean): Promise<void> {
  await session.request(isWanted ? "sightline/pause" : "sightline/resume", {});
}

/** Says of the file in the active editor whether it is indexed. */
export async function explainFile({ session }: Parts): Promise<void> {
  const uri = window.activeTextEditor?.document.uri;
  if (uri?.scheme !== "file") {
    throw new Error("Open the file first.");
  }
  const found = await session.request("sightline/explainFile", { uri: uri.toString() });
  void window.showInformationMessage(explanation(found));
}

export function explanation({ path, indexed, reason, language, chunks }: FileExplanation): string {
  if (indexed) {
    return `${path} is indexed: ${language ?? "text"}, ${number(chunks)} chunks.`;
  }
  return `${path} is not indexed: ${reason ?? "nobody knows why."}`;
}

function statusLines(status: Status): string[] {
  const { version, database, model, folders, projects, problems } = status;
  return [
    `Sightline ${version}, database ${database}, model ${model}`,
    ...folders.flatMap(folderLines),
    ...projects.map(({ name, databaseName, resolvedBy }) => `Project ${name} in ${databaseName}, found by ${resolvedBy}`),
    ...problems.map((problem) => `Problem: ${problem}`),
  ];
}

function folderLines(folder: FolderStatus): string[] {
  const { uri, phase, role, indexedPercent, files, chunks, queued } = folder;
  const counts = `${number(files)} files, ${number(chunks)} chunks, ${number(queued)} waiting`;
  return [decodeURIComponent(uri), `  ${phase} (${role}), ${indexedPercent} % indexed: ${counts}`];
}

function tell(report: OutputChannel, lines: readonly string[]): void {
  for (const line of lines) {
    report.appendLine(line);
  }
  report.show(true);
}

/** The folder that is open, or the one that somebody picks of several. */
async function chosenFolder(): Promise<WorkspaceFolder | undefined> {
  const folders = workspace.workspaceFolders ?? [];
  return folders.length > 1 ? window.showWorkspaceFolderPick() : folders[0];
}
