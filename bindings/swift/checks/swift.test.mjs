// What can be checked of the package where there is no Swift compiler: Clang takes the
// header and the module map, and a grammar of Swift takes each source. A grammar sees a
// bracket that is missing and a word in the wrong place; types and names it does not see.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import test from "node:test";

const require = createRequire(import.meta.url);
const Parser = require("tree-sitter");
const parser = new Parser();
parser.setLanguage(require("tree-sitter-swift"));

const root = path.join(import.meta.dirname, "..");

// What UniFFI writes and the grammar does not know, though it is Swift: a condition around
// an attribute, which is left out, attribute and all; a word; and a closure that gives nothing.
const UNKNOWN = [
  [/#if swift\(>=5\.8\)\n\s*@_documentation\(visibility: private\)\n\s*#endif/g, ""],
  [/nonisolated\(unsafe\) /g, ""],
  [/let writeReturn = \{ \(\) \}/g, "let writeReturn = { }"],
];

function problems(source) {
  const text = UNKNOWN.reduce((text, [from, to]) => text.replace(from, to), source);
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

function sources(folder) {
  return fs
    .readdirSync(path.join(root, folder), { recursive: true })
    .filter((file) => file.endsWith(".swift"))
    .map((file) => path.join(folder, file));
}

test("the grammar refuses what is no Swift", () => {
  assert.notEqual(problems("func f() { let = }").length, 0);
});

for (const file of ["Package.swift", ...["Sources", "Tests", "Sample"].flatMap(sources)]) {
  test(`the grammar takes ${file}`, () => {
    assert.deepEqual(problems(fs.readFileSync(path.join(root, file), "utf8")), []);
  });
}

// A module is built only when something imports it.
test("Clang takes the header and the module map", () => {
  const cache = fs.mkdtempSync(path.join(os.tmpdir(), "forerunner-modules-"));
  try {
    const flags = ["-x", "objective-c", "-fsyntax-only", "-fmodules", "-Werror"];
    const include = ["-I", "Sources/ForerunnerFFI/include", `-fmodules-cache-path=${cache}`];
    execFileSync("clang", [...flags, ...include, "checks/import.m"], { cwd: root, stdio: "pipe" });
  } finally {
    fs.rmSync(cache, { recursive: true, force: true });
  }
});
