/** Where everything is: what test/run tells in the environment, and the run's own folders. */

import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";

function told(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === "") {
    throw new Error(`${name} is not set: start the tests by client-vscode/test/run`);
  }
  return value;
}

export const CLIENT = resolve(import.meta.dirname, "../..");
/** The run's temporary folder, which goes with it. */
export const RUN = told("SIGHTLINE_TEST_RUN");
export const WORKBENCH = told("SIGHTLINE_TEST_WORKBENCH");
export const CHROMIUM = told("SIGHTLINE_TEST_CHROMIUM");
/** The folder of installed extensions, ours among them. */
export const EXTENSIONS = told("SIGHTLINE_TEST_EXTENSIONS");
export const PYTHON = told("SIGHTLINE_TEST_PYTHON");
/** The command of the server under test, word by word. */
export const SERVER = JSON.parse(told("SIGHTLINE_TEST_SERVER")) as string[];
/** What is looked at afterwards: screenshots, and logs of what failed. */
export const KEPT = join(CLIENT, "out", "kept");

mkdirSync(KEPT, { recursive: true });
