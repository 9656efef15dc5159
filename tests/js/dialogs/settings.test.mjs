import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { saveName } from "../../../static/js/dialogs/settings.js";
import { appWith } from "../app.mjs";

/** An app whose node takes or refuses a name. */
function appThat(answers) {
  const sent = [];
  const command = async (...args) => {
    sent.push(args);
    answers?.();
  };
  return Object.assign(appWith(), { sent, command });
}

test("settings save the user's own name", async () => {
  const app = appThat();
  assert.equal(await saveName(app, "Karla"), "You are now called Karla.");
  assert.deepEqual(app.sent, [["name", "Karla"]]);
});

test("a name that is empty or unchanged is not sent", async () => {
  const app = appThat();
  await saveName(app, "");
  await saveName(app, "Kai");
  assert.deepEqual(app.sent, []);
});

test("a name that the node refuses is told", async () => {
  const app = appThat(() => {
    throw new Error("The name is too long.");
  });
  assert.match(await saveName(app, "Karla"), /The name is too long\./);
});

test("every button for a dialog names one there is", () => {
  const read = (path) => readFileSync(new URL(`../../../${path}`, import.meta.url), "utf8");
  const [shell, app] = ["templates/shell.html", "static/js/app.js"].map(read);
  const named = [...shell.matchAll(/data-dialog="(\w+)"/g)].map(([, name]) => name);
  assert.ok(named.includes("settings") && named.includes("help"));
  for (const name of named) assert.match(app, new RegExp(`^  ${name}: \\(\\) => import`, "m"));
});
