import assert from "node:assert/strict";
import test from "node:test";
import { conversation, directId } from "../../../static/js/model/conversations.js";
import { isHidden, isMuted } from "../../../static/js/model/storage/settings.js";
import { markRead } from "../../../static/js/model/unread.js";
import { conversationActions, conversationMenuOf } from "../../../static/js/sidebar/conversation_actions.js";
import { conversationItems } from "../../../static/js/sidebar/conversation_list.js";
import { appWith } from "../app.mjs";
import { ANA, GENERAL, ME, message } from "../frames.mjs";

const BUILDS = "c:builds";

/** An app with an unread channel of which nothing is loaded. */
function appWithUnread() {
  const app = appWith([message(7)], {
    conversations: [
      { channel: "general", unread: 0, read: 7 },
      { channel: "builds", unread: 40, read: 0 },
    ],
    arrival: 60,
  });
  const told = [];
  return Object.assign(app, {
    told,
    isBeingRead: () => false,
    router: { go: (id) => void app.asked.push(["go", id]) },
    markRead: (ids) => ids.forEach((id) => void told.push([id, markRead(app.state, id)])),
  });
}

const run = (app, action, id) => conversationActions.find((one) => one.id === action).run(id, app);
const listed = ({ state }) => conversationItems(state, () => false).map(({ id }) => id);

test("marking read covers what is not loaded", () => {
  const app = appWithUnread();
  run(app, "read", BUILDS);
  assert.deepEqual(app.told, [[BUILDS, 60]]);
  assert.equal(conversation(app.state, BUILDS).unread, 0);
});

test("marking all read leaves nothing unread", () => {
  const app = appWithUnread();
  app.hear({ type: "message", message: message(61, { to: ME }) });
  run(app, "readAll", GENERAL);
  assert.ok([...app.state.conversations.values()].every(({ unread }) => unread === 0));
  assert.equal(conversation(app.state, directId(ANA)).read, 61);
});

test("a hidden conversation comes back with a message", () => {
  const app = appWithUnread();
  run(app, "hide", BUILDS);
  assert.deepEqual(listed(app), [GENERAL]);
  assert.ok(isHidden(app.state, conversation(app.state, BUILDS)));
  app.hear({ type: "message", message: message(61, { channel: "builds" }) });
  assert.deepEqual(listed(app), [GENERAL, BUILDS]);
});

test("muting is undone by the same entry", () => {
  const app = appWithUnread();
  run(app, "mute", BUILDS);
  assert.ok(isMuted(app.state, BUILDS));
  assert.ok(conversationItems(app.state, () => false).find(({ id }) => id === BUILDS).isMuted);
  run(app, "mute", BUILDS);
  assert.ok(!isMuted(app.state, BUILDS));
});

test("the menu offers only what fits the conversation", () => {
  const app = appWithUnread();
  const ids = (id) => conversationMenuOf(id, app).map((action) => action.id);
  assert.deepEqual(ids(GENERAL), ["readAll", "mute", "copyName"]);
  assert.deepEqual(ids(BUILDS), ["read", "readAll", "mute", "hide", "copyName"]);
});
