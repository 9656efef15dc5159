// The commands for the topic of a channel and for the user's own status.

import { t } from "../lib/i18n.js";
import { channelOf, conversationName, openConversation } from "../model/conversations.js";
import { ownMember } from "../model/members/members.js";

/** @param {import("../app.js").App} app */
export function setTopic(app, text) {
  const { id, topic } = openConversation(app.state);
  const channel = channelOf(id);
  if (channel === null) return app.hint(t("topic.direct"));
  const place = conversationName(app.state, id);
  return set(app, { type: "topic", channel, text }, { now: topic, place });
}

/** @param {import("../app.js").App} app */
export function setStatus(app, text) {
  return set(app, { type: "status", text }, { now: ownMember(app.state)?.status, place: "" });
}

/** Without a text it tells what is set, and offers to take that back. */
async function set(app, frame, { now, place }) {
  const { type, text } = frame;
  if (text !== "") return ask(app, frame);
  if (!now) return app.hint(t(`${type}.none`, { place }));
  const remove = { label: t(`${type}.remove`), run: () => ask(app, frame) };
  app.hint(t(`${type}.now`, { place, text: now }), [remove]);
}

/** What the node does not take comes back to the field, if that is free. */
async function ask(app, frame) {
  try {
    await app.request(frame);
  } catch (error) {
    if (error.code === "unknown_type") app.sayOlderNode();
    else app.hint(t("hint.refused", { error: error.message }));
    if (app.composer.text === "" && frame.text !== "") app.composer.text = `/${frame.type} ${frame.text}`;
  }
}
