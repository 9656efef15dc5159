// Everything that can come a moment later than the messages and the field to type in: gathered here, so that
// it is one request after the first ones and main.js waits for one thing.

import { run } from "./run.js";
import { mountAlone, showFindOthers } from "./view/alone.js";
import { Completion } from "./view/completion.js";
import { drawConnection } from "./view/connection.js";
import { showHelp } from "./view/dialogs.js";
import { startPanes } from "./view/panes.js";
import { drawConversations, drawMembers, hrefOf, stepFrom } from "./view/sides.js";
import { hush, speak } from "./view/spoken.js";

export function start({ take }) {
  return {
    run, mountAlone, showFindOthers, drawConnection, showHelp, drawConversations, drawMembers, hrefOf, stepFrom, hush, speak,
    completion: new Completion({ take }),
    panes: startPanes(),
  };
}
