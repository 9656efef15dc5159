// Starts the page: creates the app, connects it, and has the rest loaded.

import { createApp } from "./app.js";
import { dayOf } from "./lib/days.js";
import * as Storage from "./lib/storage.js";
import { takeKeyFromAddress } from "./net/session_key.js";

const DAY_CHECK_MS = 30_000;

const app = createApp();
const { connection, views } = app;
const newLinks = new BroadcastChannel("roomful.key"); // tells the other tabs of a new link

newLinks.addEventListener("message", () => !connection.isOpen && connection.restart());
addEventListener("hashchange", async () => {
  if (!(await takeKeyFromAddress())) return;
  newLinks.postMessage("new");
  connection.restart();
});
document.addEventListener("visibilitychange", () => {
  if (document.hidden) Storage.flush();
  else views.touchAll();
});
addEventListener("beforeunload", (event) => {
  if (!Storage.isShared() || app.outbox.unsavedTexts().length === 0) return;
  if (!connection.isOpen || Storage.isRefused()) event.preventDefault();
});
let today = dayOf(Date.now());
setInterval(() => {
  if (today !== (today = dayOf(Date.now()))) views.touchAll();
}, DAY_CHECK_MS);

if (await takeKeyFromAddress()) newLinks.postMessage("new");
app.load().catch((error) => console.error(error));
connection.open();
