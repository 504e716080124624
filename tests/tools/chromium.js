// Unpacks the Chromium of the npm package @sparticuz/chromium, for machines on which none can be installed.
//
//     node chromium.js PACKAGE-FOLDER TARGET-FOLDER
"use strict";

const { execFileSync } = require("node:child_process");
const fs = require("node:fs");
const path = require("node:path");
const zlib = require("node:zlib");

const [, , from, given] = process.argv;
const to = path.resolve(given);
fs.mkdirSync(to, { recursive: true });
const unpacked = (name) => zlib.brotliDecompressSync(fs.readFileSync(`${from}/bin/${name}.br`));
for (const archive of ["al2023.tar", "fonts.tar", "swiftshader.tar"]) {
  execFileSync("tar", ["-x", "-C", to], { input: unpacked(archive) });
}
// The package's own file names folders of Lambda; without a font Chromium ends at the first text.
fs.writeFileSync(`${to}/fonts.conf`, `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>${to}/fonts</dir>
  <cachedir>${to}/fonts-cache</cachedir>
</fontconfig>
`);
// Last: it stands for a finished installation.
fs.writeFileSync(`${to}/chromium`, unpacked("chromium"), { mode: 0o755 });
