// The server's settings, without our prefix; generated from schemas/settings.schema.json: do not edit.

export const SETTING_NAMES = [
  "dataDir",
  "database.url",
  "database.maxConnections",
  "embedding.provider",
  "embedding.model",
  "index.include",
  "index.exclude",
  "index.maxFileBytes",
  "index.workers",
  "index.onBattery",
  "index.pauseAboveLoad",
  "search.limit",
  "search.mode",
  "search.symbolEscape",
  "workflow.url",
  "workflow.timeout",
  "log.level",
] as const;
