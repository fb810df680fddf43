// Fails where the package has outgrown its budget of 1 MB.
import { statSync } from "node:fs";

const BUDGET = 1_000_000;
const bytes = statSync("sightline.vsix").size;
console.log(`sightline.vsix: ${Math.round(bytes / 1000)} kB`);
process.exit(bytes < BUDGET ? 0 : 1);
