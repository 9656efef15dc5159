// A member's profile: the key behind the name, and the safety words that two members compare to detect an
// interception.

import { clone, fill, make, setText } from "../lib/dom.js";
import { whenText } from "../lib/format.js";
import { t } from "../lib/i18n.js";
import { identicon, nameOf, pattern } from "../lib/identicon.js";
import { nameText, shortOf } from "../lib/member_name.js";
import { directId } from "../model/conversations.js";
import { isShared } from "../model/members/name_index.js";
import { openDialog } from "./dialog.js";

/** @param {import("../app.js").App} app */
export function open(app, id) {
  const { state, connection, router, composer } = app;
  const member = state.members.get(id);
  if (!member) return;
  const dialog = openDialog("t-profile");
  const status = dialog.querySelector("[role=status]");
  const shared = isShared(state, member.name);
  const name = nameText(id, member.name, shared);
  dialog.querySelector("h2").replaceChildren(nameOf(id, member.name, shared));
  dialog.querySelector(".profile__icon").append(identicon(id));
  const facts = [
    ["profile.state", t(`profile.${member.state}`, { when: whenText(Date.parse(member.since), Date.now()) })],
    ["profile.address", member.addresses.join(", ") || t("member.nowhere")],
    ["profile.short", make("code", "", member.short ?? shortOf(id))],
    ["profile.id", make("code", "", id)],
  ];
  dialog
    .querySelector(".profile__facts")
    .append(...facts.flatMap(([name, value]) => [make("dt", "", t(name)), within("dd", value)]));
  dialog.querySelector("h2").focus();
  const trust = dialog.querySelector(".profile__trust");
  for (const part of [trust, ...dialog.querySelectorAll(".profile__mute, .profile__block")]) part.hidden = member.self;
  if (member.self) return;
  const write = trust.querySelector(".profile__write");
  write.hidden = member.blocked;
  write.addEventListener("click", () => {
    dialog.close();
    router.go(directId(id));
    composer.focus();
  });
  const showVerified = (isOn) => (trust.querySelector(".profile__verified").hidden = !isOn);

  /** Tells the node, and answers what holds then; null if it did not take it. The member changes by what the node says afterwards. */
  async function mark(what, said) {
    try {
      const marks = await connection.post(`/api/v1/members/${id}/mark`, what);
      showVerified(marks.verified);
      setText(status, t(said, { name }));
      return marks;
    } catch {
      setText(status, t("profile.failed"));
      return null;
    }
  }
  const block = async () => {
    if (await app.openDialog("block", name)) await mark({ blocked: true }, "profile.block.done");
  };
  const toggle = (kind) => {
    const button = dialog.querySelector(`.profile__${kind}`);
    const label = (isOn) => setText(button, t(`profile.${isOn ? "un" : ""}${kind}`));
    let isOn = kind === "mute" ? member.muted : member.blocked;
    label(isOn);
    button.addEventListener("click", async () => {
      const wanted = !isOn;
      if (wanted && kind === "block" && !(await app.openDialog("block", name))) return;
      if (await mark({ [kind === "mute" ? "muted" : "blocked"]: wanted }, `profile.${wanted ? "" : "un"}${kind}.done`))
        isOn = wanted;
      label(isOn);
      if (kind === "block") write.hidden = isOn;
    });
  };
  toggle("mute");
  toggle("block");
  showVerified(member.verified);
  trust.querySelector(".profile__compare").addEventListener("click", async () => {
    const place = trust.querySelector(".profile__words");
    try {
      const safety = await connection.get(`/api/v1/members/${id}/safety`);
      place.replaceChildren(wordsOf(nameOf(id, member.name, shared), safety, { mark, block }));
      // One thing at a time: what else there is to know and to do stands in a profile opened anew.
      for (const part of dialog.querySelectorAll(".profile__facts, .profile__actions, .profile__mute, .profile__block"))
        part.hidden = true;
      place.querySelector("h3").focus();
    } catch {
      setText(status, t("profile.failed"));
    }
  });
}

function within(tag, content) {
  const element = make(tag);
  element.append(content);
  return element;
}

function wordsOf(name, { words, hex, qr }, { mark, block }) {
  const part = clone("t-safety-words");
  fill(part.querySelector(".safety-words__how"), "safety.how", { name });
  part.querySelector("ol").append(...words.map((word) => make("li", "", word)));
  part.querySelector(".safety-words__hex").textContent = hex.match(/.{1,4}/g)?.join(" ") ?? "";
  const code = pattern(
    qr.flatMap((row, y) => [...row].flatMap((cell, x) => (cell === "1" ? [[x, y]] : []))),
    qr.length,
    4,
  );
  code.setAttribute("class", "safety-words__qr");
  code.setAttribute("role", "img");
  code.setAttribute("aria-label", t("safety.qr"));
  part.querySelector(".safety-words__proof").append(code);
  part
    .querySelector(".safety-words__match")
    .addEventListener("click", () => mark({ verified: true }, "safety.matched"));
  part.querySelector(".safety-words__differ").addEventListener("click", async () => {
    part.querySelector(".safety-words__warning").hidden = false; // whatever the node says
    await mark({ verified: false }, "safety.differed");
  });
  part.querySelector(".safety-words__block").addEventListener("click", block);
  return part;
}
