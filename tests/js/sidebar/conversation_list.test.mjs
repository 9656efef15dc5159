import assert from "node:assert/strict";
import test from "node:test";
import { conversationItems } from "../../../static/js/sidebar/conversation_list.js";
import { openRoute } from "../../../static/js/model/routes.js";
import { markRead } from "../../../static/js/model/unread.js";
import { appWith } from "../app.mjs";
import { message } from "../frames.mjs";

/** An app with three channels: one was written in first, one last, and one is unread. */
const appWithChannels = () =>
  appWith([message(1, { channel: "alpha" }), message(2, { channel: "beta" }), message(3, { channel: "gamma" })], {
    conversations: [
      { channel: "alpha", unread: 0, read: 1 },
      { channel: "beta", unread: 1, read: 0 },
      { channel: "gamma", unread: 0, read: 3 },
    ],
  });

const order = ({ state }) => conversationItems(state, () => false).map(({ name }) => name);

test("unread conversations come first, then the latest", () => {
  assert.deepEqual(order(appWithChannels()), ["# general", "# beta", "# gamma", "# alpha"]);
});

test("a muted conversation does not rise", () => {
  const app = appWithChannels();
  app.state.settings = { ...app.state.settings, muted: ["c:beta"] };
  assert.deepEqual(order(app), ["# general", "# gamma", "# beta", "# alpha"]);
});

test("by name, nothing moves when a message comes", () => {
  const app = appWithChannels();
  app.state.settings = { ...app.state.settings, sort: "name" };
  assert.deepEqual(order(app), ["# general", "# alpha", "# beta", "# gamma"]);
});

test("what is opened and read keeps its place while it is open", () => {
  const app = appWithChannels();
  openRoute(app.state, { conversation: "c:beta" });
  markRead(app.state, "c:beta");
  assert.deepEqual(order(app), ["# general", "# beta", "# gamma", "# alpha"]);
  openRoute(app.state, { conversation: "c:general" });
  assert.deepEqual(order(app), ["# general", "# gamma", "# beta", "# alpha"]);
});
