// What the server and we say to each other; generated from schemas/protocol.schema.json: do not edit.

export const PROTOCOL_VERSION = 1;

/** From the client; each can be cancelled. */
export interface Requests {
  readonly "sightline/search": { readonly params: SearchParams; readonly result: Answer };
  /** Code like the selection, which is taken from the open document if there is one. */
  readonly "sightline/similar": { readonly params: SimilarParams; readonly result: Answer };
  /** Waits for nothing, and answers also when the database does not. */
  readonly "sightline/status": { readonly params: StatusParams; readonly result: Status };
  /** Begins a job, or returns the one that runs; `dryRun` only looks. */
  readonly "sightline/index": { readonly params: IndexParams; readonly result: Job | DryRun };
  /** Lets the model before serve again, or gives up the one that is being built. */
  readonly "sightline/rollbackModel": { readonly params: RollbackModelParams; readonly result: Status };
  readonly "sightline/jobs": { readonly params: JobsParams; readonly result: Jobs };
  /** Ends a running job of this server, or one that has not begun. */
  readonly "sightline/cancelJob": { readonly params: CancelJobParams; readonly result: Jobs };
  readonly "sightline/pause": { readonly params: NoParams; readonly result: Jobs };
  readonly "sightline/resume": { readonly params: NoParams; readonly result: Jobs };
  readonly "sightline/projects": { readonly params: NoParams; readonly result: ProjectList };
  /** Removes a project and its database, if its name confirms that this one is meant and no open folder needs it. */
  readonly "sightline/removeProject": { readonly params: RemoveProjectParams; readonly result: ProjectList };
  /** Whether a file is indexed, or why not. */
  readonly "sightline/explainFile": { readonly params: ExplainFileParams; readonly result: FileExplanation };
}

/** From the server. */
export interface Notifications {
  readonly "sightline/statusChanged": { readonly params: StatusChanged };
}

export interface Answer {
  readonly hits: readonly Hit[];
  readonly projects: readonly AnswerProject[];
  readonly complete: boolean;
  readonly indexedPercent: number;
  readonly mode: "hybrid" | "lexical" | "semantic";
  readonly degraded: readonly Degraded[];
  readonly tookMs: number;
}

export interface AnswerProject {
  readonly id: string;
  readonly name: string;
  readonly databaseName: string;
  readonly resolvedBy: "explicit" | "config" | "workflow" | "folder" | "default";
  readonly trace: readonly string[];
}

export interface CancelJobParams {
  readonly workDoneToken?: number | string | null;
  readonly partialResultToken?: number | string | null;
  readonly id: string;
}

export interface Degraded {
  /** `outside`: a path of the query is in no folder that is searched. */
  readonly code: "indexing" | "vectorsPending" | "embedderUnavailable" | "databaseUnavailable" | "deadline" | "outside";
  readonly message: string;
}

/** What an index run would do. */
export interface DryRun {
  readonly files: number;
  readonly bytes: number;
  readonly languages: Readonly<Record<string, number>>;
  /** Files, with their bytes. */
  readonly biggest: readonly (readonly [string, number])[];
  /** Top folders, with the bytes below them. */
  readonly folders: readonly (readonly [string, number])[];
  readonly skipped: Readonly<Record<string, number>>;
  /** About as many, from a sample of the files. */
  readonly chunks: number;
  /** An estimate by the texts' length: no server tells of its tokenizer beforehand. */
  readonly tokens: number;
  /** Chunks whose vectors are there already. */
  readonly embedded: number;
  /** None where nothing was embedded with this model before. */
  readonly seconds?: number;
  /** None where the price is not known. */
  readonly dollars?: number;
  /** Whether it costs more than `embedding.confirmAbove`, so that it waits for `confirm`. */
  readonly needsConsent: boolean;
}

export interface ExplainFileParams {
  readonly workDoneToken?: number | string | null;
  readonly partialResultToken?: number | string | null;
  readonly uri: string;
}

export interface FileExplanation {
  readonly path: string;
  readonly indexed: boolean;
  readonly reason?: string;
  readonly language?: string;
  readonly chunks: number;
  readonly lastChange?: string;
}

/** Filters besides those in the query box. */
export interface FilterParams {
  readonly languages?: readonly string[];
  readonly kinds?: readonly string[];
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
}

export interface FolderStatus {
  readonly uri: string;
  readonly projectId: string;
  /** Whether this server writes the index, reads what another one writes, or has no database yet. */
  readonly role: "writer" | "reader" | "waiting";
  readonly phase: string;
  readonly files: number;
  readonly filesDone: number;
  readonly filesTotal: number;
  readonly chunks: number;
  readonly indexedPercent: number;
  readonly queued: number;
  readonly paused: boolean;
  /** Whose vectors are searched. */
  readonly model: string;
  readonly pendingVectors: number;
}

export interface Hit {
  readonly uri: string;
  readonly range: Range;
  /** The best line. */
  readonly selectionRange: Range;
  /** Relative to the project's root. */
  readonly path: string;
  readonly projectId: string;
  readonly language: string;
  readonly kind: string;
  readonly symbol: string;
  readonly container: string;
  readonly snippet: string;
  /** The file's line that the snippet begins with: a long chunk is shown from its middle. */
  readonly snippetLine: number;
  /** Words that match, in the file's coordinates. */
  readonly highlights: readonly Range[];
  readonly label: "strong" | "good" | "weak";
  readonly score: number;
  readonly verified: boolean;
  readonly more: readonly MoreHit[];
  readonly signals?: Readonly<Record<string, number>>;
}

export interface IndexParams {
  readonly workDoneToken?: number | string | null;
  readonly partialResultToken?: number | string | null;
  /** The URI of an open folder, or of one below it. */
  readonly folder?: string | null;
  readonly projectId?: string | null;
  /** Relative files and folders; empty: everything. */
  readonly paths?: readonly string[];
  readonly force?: boolean;
  readonly dryRun?: boolean;
  /** Agrees to what embedding the folder costs. */
  readonly confirm?: boolean;
}

export interface Job {
  readonly id: string;
  readonly projectId: string;
  readonly kind: "scan" | "paths" | "force";
  readonly state: "pending" | "running" | "completed" | "failed" | "cancelled";
  readonly phase: string;
  readonly filesTotal: number;
  readonly filesDone: number;
  readonly chunks: number;
  /** Texts whose vectors had to be computed. */
  readonly textsEmbedded: number;
  readonly pendingVectors: number;
  /** Path to reason, of files that should have been indexed and could not be. */
  readonly failures: Readonly<Record<string, string>>;
  readonly message: string;
  readonly error?: string;
  readonly startedAt?: string;
  readonly finishedAt?: string;
}

export interface Jobs {
  readonly jobs: readonly Job[];
}

export interface JobsParams {
  readonly workDoneToken?: number | string | null;
  readonly partialResultToken?: number | string | null;
  /** The URI of an open folder, or of one below it. */
  readonly folder?: string | null;
  readonly projectId?: string | null;
}

export interface ListedProject {
  readonly id: string;
  readonly name: string;
  readonly databaseName: string;
  readonly state: "creating" | "ready" | "removing";
  /** Of all hosts that use it. */
  readonly roots: readonly string[];
  readonly chunks: number;
  readonly sizeBytes: number;
  readonly lastUsedAt: string;
}

/** A further hit in the file of another. */
export interface MoreHit {
  readonly range: Range;
  readonly symbol: string;
}

export interface NoParams {
  readonly workDoneToken?: number | string | null;
  readonly partialResultToken?: number | string | null;
}

/** The pooled connections to one database, since the server started. */
export interface PoolStatus {
  readonly database: string;
  readonly open: number;
  readonly busy: number;
  /** Statements that wait for a connection. */
  readonly waiting: number;
  readonly mostBusy: number;
  readonly taken: number;
  readonly opened: number;
  readonly timedOut: number;
  /** Attempts to connect that failed. */
  readonly failed: number;
  readonly longestWaitMs: number;
  readonly lastError: string;
}

export interface Position {
  readonly line: number;
  readonly character: number;
}

export interface ProjectList {
  readonly projects: readonly ListedProject[];
}

export interface Range {
  readonly start: Position;
  readonly end: Position;
}

export interface RemoveProjectParams {
  readonly workDoneToken?: number | string | null;
  readonly partialResultToken?: number | string | null;
  readonly projectId: string;
  /** The project's name, as a proof that this one is meant. */
  readonly confirm: string;
}

export interface RollbackModelParams {
  readonly workDoneToken?: number | string | null;
  readonly partialResultToken?: number | string | null;
  /** The URI of an open folder, or of one below it. */
  readonly folder?: string | null;
  readonly projectId?: string | null;
}

export interface SearchParams {
  readonly workDoneToken?: number | string | null;
  readonly partialResultToken?: number | string | null;
  /** The URI of an open folder, or of one below it. */
  readonly folder?: string | null;
  readonly projectId?: string | null;
  /** Where nothing is said: the setting search.limit, as search.mode for the mode. */
  readonly limit?: number | null;
  readonly maxPerFile?: number;
  readonly filters?: FilterParams;
  readonly mode?: "hybrid" | "lexical" | "semantic" | null;
  readonly explain?: boolean;
  readonly query: string;
}

export interface SimilarParams {
  readonly workDoneToken?: number | string | null;
  readonly partialResultToken?: number | string | null;
  /** The URI of an open folder, or of one below it. */
  readonly folder?: string | null;
  readonly projectId?: string | null;
  /** Where nothing is said: the setting search.limit, as search.mode for the mode. */
  readonly limit?: number | null;
  readonly maxPerFile?: number;
  readonly filters?: FilterParams;
  readonly mode?: "hybrid" | "lexical" | "semantic" | null;
  readonly explain?: boolean;
  readonly textDocument: TextDocument;
  readonly range: Range;
}

export interface Status {
  readonly version: string;
  /** embedded, external, or what is wrong with it. */
  readonly database: string;
  readonly model: string;
  readonly projects: readonly AnswerProject[];
  readonly folders: readonly FolderStatus[];
  readonly jobs: readonly Job[];
  readonly pools: readonly PoolStatus[];
  /** How many pooled connections there may be in all. */
  readonly maxConnections: number;
  readonly problems: readonly string[];
}

/** The notification `sightline/statusChanged`. */
export interface StatusChanged {
  readonly phase: string;
  readonly percent: number;
  readonly files: number;
  readonly chunks: number;
  readonly degraded: readonly Degraded[];
}

export interface StatusParams {
  readonly workDoneToken?: number | string | null;
  readonly partialResultToken?: number | string | null;
  /** The URI of an open folder, or of one below it. */
  readonly folder?: string | null;
  readonly projectId?: string | null;
}

export interface TextDocument {
  readonly uri: string;
}
