/**
 * The page of the panel.
 *
 * Tests and styles hold on to these: `#query` (the input), `#completions` (its list), `#pin`, `#history`, `#filters`
 * (toggle), `#languages`, `#kinds`, `#include`, `#exclude`, `#folder`, `#notice` with `button[data-action]`, `#error`,
 * `#summary` (what came of it; `data-stage` is `first` or `full`), `#results` (the tree) with `.file[data-label]` for a
 * file, `.hit[data-id][data-line]` for a place, `.snippet`, `mark`, `.similar`, and `#searches` with `.saved`.
 */

import { randomBytes } from "node:crypto";
import { Uri, type Webview } from "vscode";

export function html(webview: Webview, extension: Uri): string {
  const nonce = randomBytes(16).toString("base64url");
  const uri = (...path: string[]): string => webview.asWebviewUri(Uri.joinPath(extension, ...path)).toString();
  const policy = [
    "default-src 'none'",
    `script-src 'nonce-${nonce}'`,
    `style-src ${webview.cspSource}`,
    `font-src ${webview.cspSource}`,
  ].join("; ");
  return `<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="UTF-8">
  <meta http-equiv="Content-Security-Policy" content="${policy}">
  <link rel="stylesheet" href="${uri("dist", "codicon.css")}" id="vscode-codicon-stylesheet" nonce="${nonce}">
  <link rel="stylesheet" href="${uri("media", "panel.css")}">
  <title>Sightline</title>
</head>
<body>
${BODY}
  <script nonce="${nonce}" src="${uri("dist", "panel.js")}"></script>
</body>
</html>`;
}

// The query is a plain input: a list of completions is told to screen readers by the input's attributes, and those
// cannot name what lies outside an element's shadow.
const BODY = `  <search>
    <div class="row">
      <input id="query" type="text" role="combobox" spellcheck="false" autocomplete="off" aria-label="Search code"
        aria-autocomplete="list" aria-expanded="false" aria-controls="completions"
        placeholder="Ask what the code does, or type half a name">
      <vscode-toolbar-button id="pin" icon="pin" label="Pin this search" toggleable></vscode-toolbar-button>
      <vscode-toolbar-button id="history" icon="history" label="Searches of this workspace" toggleable></vscode-toolbar-button>
      <vscode-toolbar-button id="filters" icon="filter" label="Filters" toggleable></vscode-toolbar-button>
    </div>
    <ul id="completions" role="listbox" aria-label="Completions" hidden></ul>
    <div id="narrowing" role="group" aria-label="Filters" hidden>
      <div><vscode-label for="languages">Languages</vscode-label>
        <vscode-multi-select id="languages" combobox label="Languages"></vscode-multi-select></div>
      <div><vscode-label for="kinds">Kinds</vscode-label>
        <vscode-multi-select id="kinds" combobox label="Kinds"></vscode-multi-select></div>
      <div><vscode-label for="include">Files to include</vscode-label>
        <vscode-textfield id="include" label="Files to include" placeholder="src/**, *.py"></vscode-textfield></div>
      <div><vscode-label for="exclude">Files to exclude</vscode-label>
        <vscode-textfield id="exclude" label="Files to exclude" placeholder="tests/**"></vscode-textfield></div>
      <div id="folder-field"><vscode-label for="folder">Folder</vscode-label>
        <vscode-single-select id="folder" label="Folder"></vscode-single-select></div>
    </div>
  </search>
  <vscode-progress-bar id="busy" aria-label="Searching" hidden></vscode-progress-bar>
  <div id="notice" role="status" hidden></div>
  <div id="error" role="alert" hidden></div>
  <div id="summary" role="status"></div>
  <div id="results" role="tree" aria-label="Results"></div>
  <div id="searches" hidden></div>`;
