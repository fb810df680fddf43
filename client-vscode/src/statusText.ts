/** The state at a glance, in words. */

import type { StatusChanged } from "./protocol";
import type { Health } from "./session";

export interface StatusText {
  readonly text: string;
  readonly tooltip: string;
  readonly severity: "none" | "warning" | "error";
}

export function statusText(health: Health): StatusText {
  switch (health.kind) {
    case "stopped":
      return { text: "$(circle-slash) Sightline", tooltip: "The server is stopped.", severity: "none" };
    case "starting":
      return { text: "$(loading~spin) Sightline", tooltip: "The server is starting.", severity: "none" };
    case "missing":
      return { text: "$(warning) Sightline: no server", tooltip: "The server is not installed.", severity: "warning" };
    case "failed":
      return { text: "$(error) Sightline", tooltip: health.message, severity: "error" };
    case "running":
      return health.status === undefined
        ? { text: "$(search-fuzzy) Sightline", tooltip: "The server is running.", severity: "none" }
        : ofStatus(health.status);
  }
}

function ofStatus({ phase, percent, files, chunks, degraded }: StatusChanged): StatusText {
  const counts = `${number(files)} files, ${number(chunks)} chunks`;
  const lost = degraded.find(({ code }) => code === "databaseUnavailable");
  if (lost !== undefined) {
    return { text: "$(warning) Sightline: database unreachable", tooltip: lost.message, severity: "warning" };
  }
  const reasons = degraded.map(({ message }) => message);
  const tooltip = [counts, ...new Set(reasons)].join("\n");
  switch (phase) {
    case "idle":
      return { text: "$(search-fuzzy) Sightline", tooltip, severity: "none" };
    case "paused":
      return { text: `$(debug-pause) Sightline: paused at ${percent} %`, tooltip, severity: "none" };
    case "waiting":
      return { text: "$(warning) Sightline: waiting", tooltip, severity: "warning" };
    case "cancelled":
      return { text: `$(circle-slash) Sightline: ${percent} % indexed`, tooltip, severity: "none" };
    default:
      return { text: `$(sync~spin) Sightline: indexing ${percent} %`, tooltip, severity: "none" };
  }
}

/** 12345 as 12,345: the same everywhere, as our texts are English. */
export function number(value: number): string {
  return value.toLocaleString("en");
}
