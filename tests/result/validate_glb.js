// node validate_glb.js FILE ... : what the Khronos glTF validator says of each file, as a list of JSON reports.
const fs = require("fs");
const validator = require("gltf-validator");

async function main() {
  const reports = [];
  for (const path of process.argv.slice(2)) {
    reports.push(await validator.validateBytes(new Uint8Array(fs.readFileSync(path)), { maxIssues: 0 }));
  }
  console.log(JSON.stringify(reports));
}

main();
