/** Similar code in the references view, whose tree keeps a history and goes from place to place. */

import {
  EventEmitter,
  Location,
  Range,
  TreeItem,
  Uri,
  extensions,
  workspace,
  type ProviderResult,
  type TreeDataProvider,
} from "vscode";
import { similar } from "./asked";
import { iconOf } from "./icons";
import { rangeOf } from "./opening";
import type { Answer, Hit, SimilarParams } from "./protocol";
import type { Session } from "./session";

/** What we use of the references view's API. */
interface ReferencesView {
  setInput(input: Input): void;
}

interface Input {
  readonly contextValue: string;
  readonly title: string;
  readonly location: Location;
  resolve(): ProviderResult<Model>;
  with(location: Location): Input;
}

interface Model {
  readonly message: string | undefined;
  readonly provider: TreeDataProvider<Hit>;
  readonly navigation: {
    nearest(): Hit | undefined;
    next(from: Hit): Hit;
    previous(from: Hit): Hit;
    location(hit: Hit): Location;
  };
}

export class References {
  constructor(private readonly session: Session) {}

  /** Shows what is like a place; false where the view is not to be had. */
  async show(place: SimilarParams): Promise<boolean> {
    const view = await extensions.getExtension<ReferencesView>("vscode.references-view")?.activate();
    view?.setInput(this.#input(place, await anchorOf(place)));
    return view !== undefined;
  }

  #input(place: SimilarParams, location: Location): Input {
    return {
      contextValue: "sightline",
      title: "Similar Code",
      location,
      resolve: async () => modelOf(await similar(this.session, place, new AbortController().signal)),
      with: (moved) => this.#input(place, moved),
    };
  }
}

/** The first word of a place: the view drops a request that stands at none. */
async function anchorOf({ textDocument, range }: SimilarParams): Promise<Location> {
  const document = await workspace.openTextDocument(Uri.parse(textDocument.uri));
  const whole = rangeOf(range);
  const blank = /^\s*/.exec(document.getText(whole))?.[0].length ?? 0;
  const start = document.positionAt(document.offsetAt(whole.start) + blank);
  return new Location(document.uri, new Range(start, whole.end));
}

function modelOf({ hits }: Answer): Model | undefined {
  const [first] = hits;
  if (first === undefined) {
    return undefined;
  }
  const from = (hit: Hit, step: number): Hit => hits[(hits.indexOf(hit) + step + hits.length) % hits.length] ?? hit;
  return {
    message: `${hits.length} similar ${hits.length === 1 ? "place" : "places"}`,
    provider: {
      getChildren: (hit) => (hit === undefined ? [...hits] : []),
      getTreeItem: itemOf,
      onDidChangeTreeData: new EventEmitter<undefined>().event,
    },
    navigation: { nearest: () => first, next: (hit) => from(hit, 1), previous: (hit) => from(hit, -1), location: locationOf },
  };
}

function itemOf(hit: Hit): TreeItem {
  const line = hit.selectionRange.start.line + 1;
  const item = new TreeItem(hit.symbol || hit.path);
  item.description = `${hit.path}:${line}  ${hit.label}`;
  item.tooltip = hit.snippet;
  item.iconPath = iconOf(hit.kind);
  item.accessibilityInformation = { label: `${hit.symbol} in ${hit.path}, line ${line}, ${hit.label}` };
  item.command = {
    command: "vscode.open",
    title: "Open",
    arguments: [Uri.parse(hit.uri), { selection: rangeOf(hit.selectionRange), preserveFocus: true }],
  };
  return item;
}

function locationOf(hit: Hit): Location {
  return new Location(Uri.parse(hit.uri), rangeOf(hit.selectionRange));
}
