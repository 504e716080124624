// Reads an HdrHistogram interval log from standard input with another implementation of the format than ours, and prints
// what all its intervals hold together.
"use strict";
const path = require("node:path");

const modules = path.join(__dirname, "../../.tools/node/node_modules");
const hdr = require(`${modules}/hdr-histogram-js`);

const reader = new hdr.HistogramLogReader(require("node:fs").readFileSync(0, "utf8"));
const all = hdr.build({ numberOfSignificantValueDigits: 2, autoResize: true });
let intervals = 0;
for (let next = reader.nextIntervalHistogram(); next !== null; next = reader.nextIntervalHistogram()) {
  all.add(next);
  intervals += 1;
}
const values = [50, 95, 99, 100].map((percent) => all.getValueAtPercentile(percent));
console.log(JSON.stringify({ intervals, count: all.totalCount, values }));
