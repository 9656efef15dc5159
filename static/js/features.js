// The parts of the page that are not needed to read and to type, one line each. They are loaded right after it is up.

import * as autocomplete from "./composer/autocomplete.js";
import * as onboarding from "./dialogs/onboarding.js";
import * as attach from "./features/attach.js";
import * as confetti from "./features/confetti.js";
import * as edit from "./features/edit.js";
import * as emojiNames from "./features/emoji_names.js";
import * as fileCards from "./features/file_cards.js";
import * as findPeers from "./features/find_peers.js";
import * as mentions from "./features/mentions.js";
import * as reactions from "./features/reactions.js";
import * as reply from "./features/reply.js";
import * as typing from "./features/typing.js";
import * as landmarks from "./keyboard/landmarks.js";
import * as conversationList from "./sidebar/conversation_list.js";
import * as conversationMenu from "./sidebar/conversation_menu.js";
import * as heading from "./sidebar/heading.js";
import * as layout from "./sidebar/layout.js";
import * as memberList from "./sidebar/member_list.js";
import * as announcer from "./status/announcer.js";
import * as connectionStatus from "./status/connection_status.js";
import * as documentTitle from "./status/document_title.js";
import * as notifications from "./status/notifications.js";
import * as repairNotice from "./status/repair_notice.js";
import * as signedOut from "./status/signed_out.js";
import * as jumpPills from "./timeline/jump_pills.js";
import * as jumpToMessage from "./timeline/jump_to_message.js";
import * as keyboardNavigation from "./timeline/keyboard_navigation.js";
import * as messageMenu from "./timeline/message_menu.js";
import * as pagination from "./timeline/pagination.js";
import * as readTracker from "./timeline/read_tracker.js";

/** In the order in which their views are drawn. */
const features = [
  pagination,
  jumpToMessage,
  jumpPills,
  readTracker,
  messageMenu,
  keyboardNavigation,
  findPeers,
  onboarding,
  signedOut,
  connectionStatus,
  repairNotice,
  heading,
  memberList,
  conversationList,
  conversationMenu,
  layout,
  landmarks,
  documentTitle,
  autocomplete,
  announcer,
  notifications,
  confetti,
  edit,
  reply,
  reactions,
  emojiNames,
  attach,
  fileCards,
  mentions,
  typing,
];

/** @param {import("./app.js").App} app */
export function install(app) {
  for (const feature of features) feature.install(app);
}
