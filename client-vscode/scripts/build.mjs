// Bundles the extension, the panel and, with --tests, the unit tests; copies what they load at run time.
import { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { context } from "esbuild";

const flags = new Set(process.argv.slice(2));
const production = flags.has("--production");
const common = { bundle: true, minify: production, sourcemap: !production, logLevel: "warning", legalComments: "none" };
const node = { ...common, platform: "node", format: "cjs", target: "node20", mainFields: ["module", "main"] };

const bundles = flags.has("--tests")
  ? [
      {
        ...node,
        entryPoints: readdirSync("test/unit").filter((name) => name.endsWith(".test.ts")).map((name) => `test/unit/${name}`),
        outdir: "out/unit",
      },
    ]
  : [
      {
        ...node,
        // The editor waits while extension.js is read, so what is needed later is in files of its own.
        entryPoints: { extension: "src/extension.ts", client: "src/client.ts", textmate: "src/colouring/textmate.ts" },
        outdir: "dist",
        external: ["vscode", "./client.js", "./textmate.js"],
        supported: { "dynamic-import": false }, // a require, which the editor's `vscode` is made for
      },
      {
        ...common,
        entryPoints: ["src/panel/webview/main.ts"],
        outfile: "dist/panel.js",
        platform: "browser",
        format: "iife",
        target: "es2023",
      },
    ];

const copies = [
  ["node_modules/@vscode/codicons/dist/codicon.css", "dist/codicon.css"],
  ["node_modules/@vscode/codicons/dist/codicon.ttf", "dist/codicon.ttf"],
  ["node_modules/vscode-oniguruma/release/onig.wasm", "dist/onig.wasm"],
  ["../schemas/project-config.schema.json", "dist/project-config.schema.json"],
];

const folder = flags.has("--tests") ? "out/unit" : "dist";
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
if (folder === "dist") {
  for (const [from, to] of copies) {
    if (existsSync(from)) {
      copyFileSync(from, to);
    } else if (production) {
      console.warn(`${from} is not there; the extension does without`);
    }
  }
}
for (const options of bundles) {
  const bundle = await context(options);
  await (flags.has("--watch") ? bundle.watch() : bundle.rebuild().then(() => bundle.dispose()));
}
