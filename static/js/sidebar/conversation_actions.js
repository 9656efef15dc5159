// What can be done with a conversation: a registry that feeds its menu. A feature adds its own:
// `conversationActions.push({ id: "mute", label: (id, app) => t("conversation.mute"), when, run })`.

import { copyText } from "../lib/clipboard.js";
import { t } from "../lib/i18n.js";
import { channelOf, conversation, conversationName, defaultChannel, isDirect } from "../model/conversations.js";
import { hideConversation, isMuted, setMuted } from "../model/storage/settings.js";
import { unreadIn } from "../model/unread.js";

/**
 * @typedef {import("../app.js").App} App
 * @typedef {import("../types.d.ts").ConversationAction} ConversationAction
 */

/** @type {ConversationAction[]} */
export const conversationActions = [
  {
    id: "read",
    label: () => t("conversation.read"),
    when: (id, { state, isBeingRead }) => unreadIn(conversation(state, id), isBeingRead(id)) > 0,
    run: (id, app) => app.markRead([id]),
  },
  {
    id: "readAll",
    label: () => t("conversation.readAll"),
    when: (_, { state }) => [...state.conversations.values()].some(({ unread }) => unread > 0),
    run: (_, app) => app.markRead([...app.state.conversations.keys()]),
  },
  {
    id: "mute",
    label: (id, { state }) => t(isMuted(state, id) ? "conversation.unmute" : "conversation.mute"),
    when: () => true,
    run(id, { state, views }) {
      setMuted(state, id, !isMuted(state, id));
      views.touch("settings");
    },
  },
  {
    id: "hide",
    label: () => t("conversation.hide"),
    when: (id, { state }) => id !== defaultChannel(state),
    run(id, app) {
      app.markRead([id]);
      hideConversation(app.state, conversation(app.state, id));
      if (id === app.state.route.conversation) app.router.go(defaultChannel(app.state));
      app.views.touch("settings");
    },
  },
  {
    id: "copyName",
    label: () => t("conversation.copyName"),
    when: () => true,
    async run(id, app) {
      const isCopied = await copyText(isDirect(id) ? conversationName(app.state, id) : channelOf(id));
      if (isCopied) app.toast(t("copied"));
      else app.hint(t("copy.refused"));
    },
  },
];

/** What the menu of a conversation offers. */
export const conversationMenuOf = (id, app) => conversationActions.filter(({ when }) => when(id, app));
