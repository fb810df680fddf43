/** Asking the server for answers: parameters out of a form, and cancellation. */

import { CancellationTokenSource, workspace, type WorkspaceFolder } from "vscode";
import type { Stage } from "./asking";
import { searchSettings } from "./configuration";
import { globs, type Form } from "./panel/form";
import type { Answer, SearchParams, SimilarParams } from "./protocol";
import type { Session } from "./session";

export function search(session: Session, form: Form, stage: Stage, signal: AbortSignal): Promise<Answer> {
  const { mode, limit } = searchSettings();
  const folder = folderOf(form.folder)?.uri.toString();
  const params: SearchParams = {
    query: form.query,
    limit,
    mode: stage === "first" ? "lexical" : mode,
    explain: true,
    filters: {
      languages: form.languages,
      kinds: form.kinds,
      include: globs(form.include),
      exclude: globs(form.exclude),
    },
    ...(folder === undefined ? {} : { folder }),
  };
  return cancellable(signal, (token) => session.request("sightline/search", params, token));
}

export function similar(session: Session, place: SimilarParams, signal: AbortSignal): Promise<Answer> {
  const params = { ...place, limit: searchSettings().limit, explain: true };
  return cancellable(signal, (token) => session.request("sightline/similar", params, token));
}

/** Folders are known to the page by their place among those that are open. */
export function folderOf(id: string): WorkspaceFolder | undefined {
  return id === "" ? undefined : workspace.workspaceFolders?.[Number(id)];
}

async function cancellable<T>(
  signal: AbortSignal,
  run: (token: CancellationTokenSource["token"]) => Promise<T>,
): Promise<T> {
  const source = new CancellationTokenSource();
  const cancel = (): void => {
    source.cancel();
  };
  signal.addEventListener("abort", cancel, { once: true });
  try {
    return await run(source.token);
  } finally {
    signal.removeEventListener("abort", cancel);
    source.dispose();
  }
}
