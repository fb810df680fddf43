// Writes what follows from ../schemas: the protocol's types, and the settings in package.json; --check only compares.
import { readFileSync, writeFileSync } from "node:fs";

const read = (path) => JSON.parse(readFileSync(path, "utf8"));
const protocol = read("../schemas/protocol.schema.json");
const settings = read("../schemas/settings.schema.json");

/** A schema of ours as a TypeScript type. */
function typeOf(schema) {
  if (schema.$ref) {
    return schema.$ref.split("/").at(-1);
  }
  if (schema.enum) {
    return schema.enum.map((each) => JSON.stringify(each)).join(" | ");
  }
  if (schema.anyOf) {
    return [...new Set(schema.anyOf.map(typeOf))].join(" | ");
  }
  switch (schema.type) {
    case "integer":
    case "number":
      return "number";
    case "string":
    case "boolean":
    case "null":
      return schema.type;
    case "array":
      return schema.prefixItems
        ? `readonly [${schema.prefixItems.map(typeOf).join(", ")}]`
        : `readonly ${parenthesized(typeOf(schema.items))}[]`;
    case "object":
      if (typeof schema.additionalProperties === "object") {
        return `Readonly<Record<string, ${typeOf(schema.additionalProperties)}>>`;
      }
  }
  throw new Error(`no type for ${JSON.stringify(schema)}`);
}

const parenthesized = (type) => (type.includes(" ") ? `(${type})` : type);
const doc = (text, indent = "") => (text ? `${indent}/** ${text} */\n` : "");

function interfaceOf([name, schema]) {
  const required = new Set(schema.required ?? []);
  const fields = Object.entries(schema.properties ?? {}).map(
    ([field, each]) => `${doc(each.description, "  ")}  readonly ${field}${required.has(field) ? "" : "?"}: ${typeOf(each)};\n`,
  );
  return `${doc(schema.description)}export interface ${name} {\n${fields.join("")}}\n`;
}

/** A table of methods; `parts` are what each has. */
function tableOf(name, group, parts) {
  const rows = Object.entries(protocol.properties[group].properties).map(([method, { description, properties }]) => {
    const fields = parts.map((part) => `readonly ${part}: ${typeOf(properties[part])}`);
    return `${doc(description, "  ")}  readonly "${method}": { ${fields.join("; ")} };\n`;
  });
  return `${doc(protocol.properties[group].description)}export interface ${name} {\n${rows.join("")}}\n`;
}

function protocolModule() {
  const { version } = protocol.properties.experimental.properties;
  return [
    "// What the server and we say to each other; generated from schemas/protocol.schema.json: do not edit.\n",
    `export const PROTOCOL_VERSION = ${version.const};\n`,
    tableOf("Requests", "requests", ["params", "result"]),
    tableOf("Notifications", "notifications", ["params"]),
    ...Object.entries(protocol.$defs).map(interfaceOf),
  ].join("\n");
}

/** Settings of this extension itself; the server knows nothing of them. */
const OWN = {
  "sightline.server.command": {
    type: "array",
    items: { type: "string" },
    default: [],
    scope: "machine-overridable",
    markdownDescription:
      "The command that runs Sightline, word by word, without `serve`: `[\"/opt/venv/bin/sightline\"]`, or `[\"uvx\", \"--from\", \"sightline-ls==0.1.0\", \"sightline\"]`. Empty: what the workspace's Python environment has, else what is on the PATH.",
  },
  "sightline.trace.server": {
    type: "string",
    enum: ["off", "messages", "verbose"],
    default: "off",
    scope: "window",
    description: "Logs what the editor and the server say to each other.",
  },
};
/** Where things are on a machine is that machine's matter. */
const OF_MACHINE = /^sightline\.(dataDir|database|embedding)\b/;

function configuration() {
  const properties = Object.entries(settings.properties).map(([name, schema]) => [
    name,
    { ...schema, scope: OF_MACHINE.test(name) ? "machine-overridable" : "window" },
  ]);
  return { title: "Sightline", properties: { ...OWN, ...Object.fromEntries(properties) } };
}

function settingNames() {
  const names = Object.keys(settings.properties).map((name) => `  "${name.replace("sightline.", "")}",\n`);
  return `// The server's settings, without our prefix; generated from schemas/settings.schema.json: do not edit.\n
export const SETTING_NAMES = [\n${names.join("")}] as const;\n`;
}

function manifest() {
  const found = read("package.json");
  found.contributes.configuration = configuration();
  return `${JSON.stringify(found, null, 2)}\n`;
}

const files = {
  "src/protocol.ts": protocolModule(),
  "src/settingNames.ts": settingNames(),
  "package.json": manifest(),
};
const onDisk = (path) => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
};
const stale = Object.entries(files).filter(([path, text]) => onDisk(path) !== text);
if (process.argv.includes("--check")) {
  for (const [path] of stale) {
    console.error(`${path} does not follow from ../schemas; run: npm run generate`);
  }
  process.exit(stale.length > 0 ? 1 : 0);
}
for (const [path, text] of stale) {
  writeFileSync(path, text);
}
