// Who somebody is: the key behind the name, and the words that two people compare to be sure that nobody sits
// between them.

import { byId, clone, fill, identicon, make, nameOf, nameText, pattern, setText, shortOf } from "../lib/dom.js";
import { t, whenText } from "../lib/texts.js";
import { directKey, isShared } from "../state.js";
import { open } from "./dialogs.js";

export function showProfile({ state, socket, go }, id) {
  const member = state.members.get(id);
  if (!member) return;
  const dialog = open("t-profile");
  const status = dialog.querySelector("[role=status]");
  const shared = isShared(state, member.name);
  const name = nameText(id, member.name, shared);
  dialog.querySelector("h2").replaceChildren(nameOf(id, member.name, shared));
  dialog.querySelector(".portrait").append(identicon(id));
  const facts = [
    ["profile.state", t(`profile.${member.state}`, { when: whenText(Date.parse(member.since), Date.now()) })],
    ["profile.address", member.addresses.join(", ") || t("member.nowhere")],
    ["profile.short", make("code", "", member.short ?? shortOf(id))], ["profile.id", make("code", "", id)],
  ];
  dialog.querySelector(".facts").append(...facts.flatMap(([name, value]) => [make("dt", "", t(name)), within("dd", value)]));
  dialog.querySelector("h2").focus();
  const trust = dialog.querySelector(".trust");
  for (const part of [trust, ...dialog.querySelectorAll(".mute, .block")]) part.hidden = member.self;
  if (member.self) return;
  trust.querySelector(".write").addEventListener("click", () => {
    dialog.close();
    go(directKey(id));
    byId("field").focus();
  });
  const showVerified = (isOn) => (trust.querySelector(".verified").hidden = !isOn);

  /** Tells the node, and answers what holds then; null if it did not take it. The member changes by what the node says afterwards. */
  async function mark(what, said) {
    try {
      const marks = await socket.post(`/api/v1/members/${id}/mark`, what);
      showVerified(marks.verified);
      setText(status, t(said, { name }));
      return marks;
    } catch {
      setText(status, t("profile.failed"));
      return null;
    }
  }
  const toggle = (kind) => {
    const button = dialog.querySelector(`.${kind}`);
    const label = (isOn) => setText(button, t(`profile.${isOn ? "un" : ""}${kind}`));
    let isOn = kind === "mute" ? member.muted : member.blocked;
    label(isOn);
    button.addEventListener("click", async () => {
      const wanted = !isOn;
      if (await mark({ [kind === "mute" ? "muted" : "blocked"]: wanted }, `profile.${wanted ? "" : "un"}${kind}.done`)) isOn = wanted;
      label(isOn);
    });
  };
  toggle("mute");
  toggle("block");
  showVerified(member.verified);
  trust.querySelector(".compare").addEventListener("click", async () => {
    const place = trust.querySelector(".words");
    try {
      const safety = await socket.get(`/api/v1/members/${id}/safety`);
      place.replaceChildren(wordsOf(nameOf(id, member.name, shared), safety, mark));
      // One thing at a time: what else there is to know and to do stands in a profile opened anew.
      for (const part of dialog.querySelectorAll(".facts, .doing, .mute, .block")) part.hidden = true;
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

function wordsOf(name, { words, hex, qr }, mark) {
  const part = clone("t-words");
  fill(part.querySelector(".how"), "safety.how", { name });
  part.querySelector("ol").append(...words.map((word) => make("li", "", word)));
  part.querySelector(".hex").textContent = hex.match(/.{1,4}/g)?.join(" ") ?? "";
  const code = pattern(qr.flatMap((row, y) => [...row].flatMap((cell, x) => (cell === "1" ? [[x, y]] : []))), qr.length, 4);
  code.setAttribute("class", "qr");
  code.setAttribute("role", "img");
  code.setAttribute("aria-label", t("safety.qr"));
  part.querySelector(".proof").append(code);
  part.querySelector(".match").addEventListener("click", () => mark({ verified: true }, "safety.matched"));
  part.querySelector(".differ").addEventListener("click", async () => {
    part.querySelector(".warning").hidden = false; // whatever the node says
    await mark({ verified: false }, "safety.differed");
  });
  part.querySelector(".block-now").addEventListener("click", () => mark({ blocked: true }, "profile.block.done"));
  return part;
}
