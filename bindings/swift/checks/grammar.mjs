// Whether tree-sitter's grammar of Swift takes every source. A grammar sees a bracket that
// is missing and a word in the wrong place; types and names it does not see.
import fs from "node:fs";
import path from "node:path";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const Parser = require("tree-sitter");
const parser = new Parser();
parser.setLanguage(require("tree-sitter-swift"));

// What UniFFI writes and the grammar does not know, though it is Swift: a condition around
// an attribute (it is left out, attribute and all),
const CONDITIONAL = /#if swift\(>=5\.8\)\n\s*(@_documentation\(visibility: private\))\n\s*#endif/g;

// and these two.
const UNKNOWN = [
  [/nonisolated\(unsafe\) /g, ""],
  [/let writeReturn = \{ \(\) \}/g, "let writeReturn = { }"],
];

function problems(source) {
  const known = source.replace(CONDITIONAL, "");
  const text = UNKNOWN.reduce((text, [from, to]) => text.replace(from, to), known);
  const tree = parser.parse((at) => text.slice(at, at + 4096));
  const found = [];
  const look = (node) => {
    if (node.type === "ERROR" || node.isMissing) {
      const { row, column } = node.startPosition;
      found.push(`line ${row + 1}, column ${column + 1}: ${JSON.stringify(node.text.slice(0, 60))}`);
    } else if (node.hasError) {
      node.children.forEach(look);
    }
  };
  look(tree.rootNode);
  return found;
}

function* sources(folder) {
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) yield* sources(file);
    else if (entry.name.endsWith(".swift")) yield file;
  }
}

// A check that takes anything checks nothing.
if (problems("func f() { let = }").length === 0) throw new Error("the grammar takes what is no Swift");

const files = ["Package.swift", ...["Sources", "Tests", "Sample"].flatMap((folder) => [...sources(folder)])];
let bad = 0;
for (const file of files) {
  for (const problem of problems(fs.readFileSync(file, "utf8"))) {
    console.error(`${file}: ${problem}`);
    bad += 1;
  }
}
console.log(`${files.length} Swift sources: ${bad === 0 ? "taken by the grammar" : `${bad} places that it does not take`}`);
process.exitCode = bad === 0 ? 0 : 1;
