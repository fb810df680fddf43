// Takes the download addresses out of package-lock.json, or with --check says whether one is there.
//
// Without them npm takes each package from the registry that the machine is set to; the hashes stay and are checked.
import { readFileSync, writeFileSync } from "node:fs";

const FILE = "package-lock.json";
const lock = JSON.parse(readFileSync(FILE, "utf8"));
const addressed = Object.values(lock.packages).filter((each) => "resolved" in each);
if (process.argv.includes("--check")) {
  if (addressed.length > 0) {
    console.error(`${FILE} holds ${addressed.length} download addresses; run: node scripts/lock.mjs`);
    process.exit(1);
  }
} else {
  for (const each of addressed) {
    delete each.resolved;
  }
  writeFileSync(FILE, `${JSON.stringify(lock, null, 2)}\n`);
}
