import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

const ROOT = new URL("../../../", import.meta.url);
const read = (path) => readFileSync(new URL(path, ROOT), "utf8");
const MODULES_MAX = 40; // the time they take decides; this finds an import that was not meant

/** The modules that the browser needs before the first runs: what `path` imports by name, and what that imports. */
function needed(path, found = new Set()) {
  if (found.has(path)) return found;
  found.add(path);
  for (const [, from] of read(path).matchAll(/^(?:import|export)\b[^;]*?\bfrom "([^"]+)";/gm)) {
    needed(new URL(from, new URL(path, "file:///")).pathname.slice(1), found);
  }
  return found;
}

test("little is needed to read and to type", () => {
  const modules = [...needed("static/js/main.js")].sort();
  assert.ok(modules.length > 5, "the search itself finds them");
  assert.ok(modules.length <= MODULES_MAX, modules.join(" "));
});

test("the shell preloads what is needed to read and to type", () => {
  const preloaded = [...read("templates/shell.html").matchAll(/modulepreload" href="\{\{ parts \}\}\/([^"]+)"/g)];
  const expected = [...needed("static/js/main.js")].filter((path) => path !== "static/js/main.js");
  assert.deepEqual(preloaded.map(([, path]) => `static/${path}`).sort(), expected.sort());
});

test("style sheets are linked as one, but for those that do not always hold", () => {
  const linked = [...read("templates/shell.html").matchAll(/stylesheet" href="\{\{ parts \}\}\/css\/([^"]+)\.css"/g)];
  assert.deepEqual(
    linked.map(([, name]) => name),
    ["styles", "dark", "print"],
  );
});
