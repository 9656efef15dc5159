// Everything that can come a moment later than the messages and the field to type in: gathered here, so that
// main.js waits for one thing.

import { run } from "./run.js";
import { mountAlone, showFindOthers } from "./view/alone.js";
import { Completion } from "./view/completion.js";
import { drawConnection } from "./view/connection.js";
import { startMoving } from "./view/moving.js";
import { startPanes } from "./view/panes.js";
import { drawConversations, drawMembers, hrefOf } from "./view/sides.js";
import { hush, speak } from "./view/spoken.js";
import { drawTitle } from "./view/title.js";

export function start({ state, current, go, toNewest, write }) {
  const panes = startPanes();
  startMoving({ state, panes, current, go, toNewest });
  const completion = new Completion({ take: write });
  return {
    completion, drawConnection, drawConversations, drawMembers, drawTitle, hrefOf, hush, mountAlone, panes, run,
    showFindOthers, speak,
  };
}
