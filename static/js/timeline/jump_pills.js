// The pills over the messages: to the newest, to the unread, to what came late.

import { byId, setText } from "../lib/dom.js";
import { t } from "../lib/i18n.js";
import { HORIZONTAL, moveFocus } from "../lib/roving_focus.js";

export function install(app) {
  const { state, timeline } = app;
  const newest = byId("pill-newest");
  const unread = byId("pill-unread");
  const late = byId("pill-late");

  newest.addEventListener("click", () => app.toEnd());
  late.addEventListener("click", () => app.jumps.to(state.route.conversation, lateAbove()[0]));
  unread.addEventListener("click", () => {
    const marker = timeline.rows.find(({ type }) => type === "new");
    if (marker) timeline.toRow(marker.key);
  });
  startKeys(byId("pills"));
  timeline.watch(() => {
    const { info, rows } = timeline;
    const fresh = info.isTail ? timeline.newCount : info.unread;
    newest.hidden = timeline.atEnd;
    label(newest, fresh > 0 ? "pill.newestNew" : "pill.newest", fresh);

    const lateCount = lateAbove().length;
    late.hidden = lateCount === 0;
    label(late, "pill.late", lateCount);

    const marker = rows.findIndex(({ type }) => type === "new");
    unread.hidden = marker < 0 || info.unread <= lateCount || !timeline.isAbove(marker);
    setText(unread, t("pill.unread", { n: info.unread - lateCount }));
  });

  /** Those of the late ones that stand above what is read, loaded or not. */
  function lateAbove() {
    const { info, rows } = timeline;
    if (info.late.length === 0) return [];
    const places = new Map(rows.map(({ message }, index) => [message?.id, index]));
    return info.late.filter((id) => !places.has(id) || timeline.isAbove(places.get(id)));
  }
}

/** A pill says where it leads, and shows as much of that as there is room for. */
function label(pill, key, n) {
  const [full, brief] = pill.children;
  setText(full, t(key, { n }));
  setText(brief, t(`${key}.brief`, { n }));
}

export const shownPills = () => [...byId("pills").children].filter((pill) => !pill.hidden);

/** The pills are one stop for Tab, however many there are: the arrows go among them. One that goes hands on the focus. */
function startKeys(pills) {
  const scroller = byId("messages");
  pills.addEventListener("keydown", (event) => {
    if (moveFocus(event, shownPills(), { keys: HORIZONTAL, wraps: true })) return;
    if (event.key !== "Tab" || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    (event.shiftKey ? scroller : byId("field")).focus();
  });
  let focused = null; // browsers tell it of one that is hidden at different times, and some not at all
  pills.addEventListener("focusin", ({ target }) => (focused = target));
  new MutationObserver(() => {
    const isLost = focused?.hidden && [focused, document.body].includes(document.activeElement);
    if (isLost) scroller.focus({ preventScroll: true });
  }).observe(pills, { subtree: true, attributeFilter: ["hidden"] });
}
