// Unpacks the Chromium of the npm package @sparticuz/chromium, for machines on which none can be installed.
//
//     node chromium.js PACKAGE-FOLDER TARGET-FOLDER
"use strict";

const { execFileSync } = require("node:child_process");
const fs = require("node:fs");
const zlib = require("node:zlib");

const [, , from, to] = process.argv;
fs.mkdirSync(to, { recursive: true });
const unpacked = (name) => zlib.brotliDecompressSync(fs.readFileSync(`${from}/bin/${name}.br`));
for (const archive of ["al2023.tar", "fonts.tar", "swiftshader.tar"]) {
  execFileSync("tar", ["-x", "-C", to], { input: unpacked(archive) });
}
fs.writeFileSync(`${to}/chromium`, unpacked("chromium"), { mode: 0o755 });
