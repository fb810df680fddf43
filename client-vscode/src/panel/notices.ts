/** What the panel says of the server where it is not as it should be. */

import type { Health } from "../session";
import type { Notice } from "./messages";

const LOG = { id: "sightline.showLog", label: "Show Log" };
const RESTART = { id: "sightline.restartServer", label: "Restart" };

export function noticeOf(health: Health): Notice | undefined {
  switch (health.kind) {
    case "missing":
      return {
        text: "Sightline's server is not installed.",
        actions: [{ id: "sightline.installServer", label: "Install..." }, { id: "sightline.restartServer", label: "Look Again" }],
      };
    case "failed":
      return { text: health.message, actions: [LOG, RESTART] };
    case "starting":
      return { text: "The server is starting.", actions: [] };
    case "stopped":
      return undefined;
    case "running":
      return troubleOf(health);
  }
}

/** Indexing is told beside the results; here is what somebody has to look into. */
function troubleOf({ status }: Extract<Health, { kind: "running" }>): Notice | undefined {
  const trouble = status?.degraded.filter(({ code }) => code === "databaseUnavailable" || code === "embedderUnavailable");
  if (trouble === undefined || trouble.length === 0) {
    return undefined;
  }
  const text = [...new Set(trouble.map(({ message }) => message))].join("; ");
  return { text, actions: [{ id: "sightline.runDoctor", label: "Run Doctor" }, LOG] };
}
