// Holds a CloudFormation template, as JSON on standard input, to refusals that were seen on the real AWS.
//
//     node preflight.js < template.json     exit code 0: none applies; 1: those that do, one a line

const modules = `${__dirname}/../../.tools/node/node_modules`;
const { App, Stack } = require(`${modules}/aws-cdk-lib`);
const { CfnInclude } = require(`${modules}/aws-cdk-lib/cloudformation-include`);
const { Preflight } = require(`${modules}/cdk-preflight`);
const { mkdtempSync, readFileSync, rmSync, writeFileSync } = require("node:fs");
const { tmpdir } = require("node:os");

const folder = mkdtempSync(`${tmpdir()}/preflight-`);
process.on("exit", () => rmSync(folder, { recursive: true }));
const file = `${folder}/template.json`;
writeFileSync(file, readFileSync(0));

const app = new App({ outdir: `${folder}/out` });
Preflight.apply(app);
const stack = new Stack(app, "Checked");
new CfnInclude(stack, "Template", { templateFile: file });
// Its own words go to standard error; what counts is the report.
try {
  app.synth();
} catch (error) {
  const report = JSON.parse(readFileSync(`${folder}/out/validation-report.json`, "utf8"));
  const refusals = report.pluginReports.filter((each) => each.conclusion === "failure");
  for (const refusal of refusals.flatMap((each) => each.violations)) {
    console.log(`${refusal.ruleName}: ${refusal.description}`);
  }
  process.exitCode = 1;
  if (refusals.length === 0) throw error;
}
