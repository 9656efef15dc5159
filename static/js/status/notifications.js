// Telling a user who looks elsewhere: a notification of the system, and a sound. Once for a message, however many tabs
// are open: the tab that gets the message's lock tells, the others keep quiet; a tab that shows it takes the lock and
// says nothing.

import { t } from "../lib/i18n.js";
import { nameText } from "../lib/member_name.js";
import { confusableKey } from "../model/members/confusables.js";
import { conversationName, conversationOf, isDirect } from "../model/conversations.js";
import { ownMember } from "../model/members/members.js";
import { isShared } from "../model/members/name_index.js";

const FRESH_MS = 60_000; // what is older comes from a resume: the title says enough
const LOCK_HELD_MS = 10_000;
const OTHERS_FIRST_MS = 150; // a tab that shows the message takes its lock before those that do not
const SOUND_EVERY_MS = 2000;

/** Whether a message names the user. A node of an earlier release does not say so. */
function isMentioned({ mentions, text }, me, names) {
  if (mentions) return mentions.includes(me);
  const key = confusableKey(text);
  return names.some((name) => name !== "" && key.includes(`@${confusableKey(name)}`));
}

/** Whether a message is worth a notification and a sound: `{ notice, sound }`. Pure. */
export function notificationPolicy(message, { settings, me, names, members }) {
  const nothing = { notice: false, sound: false };
  const id = conversationOf(message, me);
  const author = members.get(message.author);
  if (message.author === me || settings.quiet || settings.muted.includes(id)) return nothing;
  if (author?.muted || author?.blocked) return nothing;
  const isForMe = isDirect(id) || isMentioned(message, me, names);
  const counts = (choice) => choice === "all" || (choice === "direct" && isForMe);
  return { notice: counts(settings.notices), sound: counts(settings.sounds) };
}

/** @param {import("../app.js").App} app */
export function install(app) {
  const { state, isBeingRead } = app;

  async function tell(message) {
    const { me } = state.session;
    const now = Date.now();
    if (message.author === me) return;
    if (Math.abs(now - Date.parse(message.time)) > FRESH_MS) return;
    const id = conversationOf(message, me);
    const isRead = isBeingRead(id);
    const names = [ownMember(state)?.name ?? ""];
    const { settings, members } = state;
    const { notice, sound } = notificationPolicy(message, { settings, me, names, members });
    if (!notice && !sound) return;
    if (!isRead) await new Promise((done) => setTimeout(done, OTHERS_FIRST_MS));
    navigator.locks.request(`roomful.notice.${message.id}`, { ifAvailable: true }, (lock) => {
      if (lock === null) return undefined;
      if (!isRead && notice) show(message, id);
      if (!isRead && sound) ring();
      return new Promise((done) => setTimeout(done, LOCK_HELD_MS));
    });
  }

  function show(message, id) {
    if (!("Notification" in window) || Notification.permission !== "granted") return;
    const place = conversationName(state, id);
    const name = nameText(message.author, message.name, isShared(state, message.name));
    const title = isDirect(id) ? place : t("notice.title", { name, place });
    const body = state.settings.texts ? message.text.slice(0, 200) : "";
    const shown = new Notification(title, { body, tag: `roomful.${state.session.me}.${id}` });
    shown.onclick = () => {
      window.focus();
      shown.close();
      app.jumps.to(id, message.id);
    };
  }

  /** At most one sound in a while, of all tabs: the lock is kept until there may be another. */
  function ring() {
    if (!navigator.userActivation?.hasBeenActive) return; // browsers would keep it silent
    navigator.locks.request(`roomful.sound.${state.session.me}`, { ifAvailable: true }, (lock) => {
      if (lock === null) return undefined;
      play();
      return new Promise((done) => setTimeout(done, SOUND_EVERY_MS));
    });
  }

  /** Two short tones, made here. */
  function play() {
    const audio = new AudioContext();
    [
      [660, 0],
      [880, 0.09],
    ].forEach(([pitch, at]) => {
      const tone = audio.createOscillator();
      const volume = audio.createGain();
      tone.frequency.value = pitch;
      volume.gain.setValueAtTime(0.0001, audio.currentTime + at);
      volume.gain.exponentialRampToValueAtTime(0.12, audio.currentTime + at + 0.01);
      volume.gain.exponentialRampToValueAtTime(0.0001, audio.currentTime + at + 0.18);
      tone.connect(volume).connect(audio.destination);
      tone.start(audio.currentTime + at);
      tone.stop(audio.currentTime + at + 0.2);
    });
    setTimeout(() => audio.close(), 1000);
  }

  app.events.on("message", ({ message }) => tell(message));
}
