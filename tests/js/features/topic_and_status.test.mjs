import assert from "node:assert/strict";
import test from "node:test";
import { setStatus, setTopic } from "../../../static/js/features/topic_and_status.js";
import { conversation } from "../../../static/js/model/conversations.js";
import { appWith } from "../app.mjs";
import { GENERAL } from "../frames.mjs";

function installed(refusal = null) {
  const app = appWith([], { conversations: [{ channel: "general", topic: "Lunch" }] });
  app.request = async (frame) => {
    app.asked.push(["request", frame]);
    if (refusal) throw Object.assign(new Error("No."), refusal);
  };
  app.sayOlderNode = () => app.asked.push(["older"]);
  return app;
}

test("the node tells a topic, and that it was taken back", () => {
  const { state, hear } = installed();
  const place = conversation(state, GENERAL);
  assert.equal(place.topic, "Lunch");
  hear({ type: "topic", channel: "general", text: "Tea" });
  assert.equal(place.topic, "Tea");
  hear({ type: "topic", channel: "general", text: "" });
  assert.equal(place.topic, "");
});

test("a command sets the topic, and without a text offers to remove it", async () => {
  const app = installed();
  await setTopic(app, "Tea");
  assert.deepEqual(app.asked.pop(), ["request", { type: "topic", channel: "general", text: "Tea" }]);
  await setTopic(app, "");
  const [, words, [remove]] = app.asked.pop();
  assert.match(words, /Lunch/);
  await remove.run();
  assert.deepEqual(app.asked.pop(), ["request", { type: "topic", channel: "general", text: "" }]);
});

test("a refused status comes back to the field", async () => {
  const app = installed({ code: "too_long" });
  await setStatus(app, "Out");
  assert.deepEqual([app.asked.at(-1)[0], app.composer.text], ["hint", "/status Out"]);
  const older = installed({ code: "unknown_type" });
  older.composer.text = "begun meanwhile";
  await setStatus(older, "Out");
  assert.deepEqual([older.asked.at(-1)[0], older.composer.text], ["older", "begun meanwhile"]);
});
