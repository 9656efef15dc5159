// Telling somebody who looks elsewhere: a notice of the system, and a sound. Once for a message, however many tabs are
// open: the tab that gets the message's lock tells, the others keep quiet; a tab that shows it takes the lock and says nothing.

import { readChoices } from "./choices.js";
import { nameText } from "./lib/dom.js";
import { t } from "./lib/texts.js";
import { fold, isShared, keyOf, placeName } from "./state.js";

const FRESH_MS = 60_000; // what is older comes from a resume: the title says enough
const LOCK_HELD_MS = 10_000;
const OTHERS_FIRST_MS = 150; // a tab that shows the message takes its lock before those that do not
const SOUND_EVERY_MS = 2000;

/** What a message is worth: `{ notice, sound }`. Pure. */
export function worth(message, { choices, me, names, members }) {
  const nothing = { notice: false, sound: false };
  const key = keyOf(message, me);
  const author = members.get(message.author);
  if (message.author === me || choices.quiet || choices.muted.includes(key)) return nothing;
  if (author?.muted || author?.blocked) return nothing;
  const text = fold(message.text);
  const isForMe = key.startsWith("d:") || names.some((name) => name !== "" && text.includes(`@${fold(name)}`));
  const isWorth = (choice) => choice === "all" || (choice === "direct" && isForMe);
  return { notice: isWorth(choices.notices), sound: isWorth(choices.sounds) };
}

/** `attended(key)` says whether a conversation is being read in this tab, `jump(key, id)` opens a message. */
export function startNotices({ state, attended, jump }) {
  async function tell(message, now) {
    if (Math.abs(now - Date.parse(message.time)) > FRESH_MS) return;
    const key = keyOf(message, state.me);
    const isRead = attended(key);
    const names = [state.members.get(state.me)?.name ?? ""];
    const { notice, sound } = worth(message, { choices: readChoices(state.me), me: state.me, names, members: state.members });
    if (!notice && !sound) return;
    if (!isRead) await new Promise((done) => setTimeout(done, OTHERS_FIRST_MS));
    navigator.locks.request(`roomful.notice.${message.id}`, { ifAvailable: true }, (lock) => {
      if (lock === null) return undefined;
      if (!isRead && notice) show(message, key);
      if (!isRead && sound) ring();
      return new Promise((done) => setTimeout(done, LOCK_HELD_MS));
    });
  }

  function show(message, key) {
    if (!("Notification" in window) || Notification.permission !== "granted") return;
    const place = placeName(state, key);
    const name = nameText(message.author, message.name, isShared(state, message.name));
    const title = key.startsWith("d:") ? place : t("notice.title", { name, place });
    const body = readChoices(state.me).texts ? message.text.slice(0, 200) : "";
    const shown = new Notification(title, { body, tag: `roomful.${state.me}.${key}` });
    shown.onclick = () => {
      window.focus();
      shown.close();
      jump(key, message.id);
    };
  }

  /** At most one sound in a while, of all tabs: the lock is kept until there may be another. */
  function ring() {
    if (!navigator.userActivation?.hasBeenActive) return; // browsers would keep it silent
    navigator.locks.request(`roomful.sound.${state.me}`, { ifAvailable: true }, (lock) => {
      if (lock === null) return undefined;
      play();
      return new Promise((done) => setTimeout(done, SOUND_EVERY_MS));
    });
  }

  /** Two short tones, made here. */
  function play() {
    const audio = new AudioContext();
    [[660, 0], [880, 0.09]].forEach(([pitch, at]) => {
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

  return { tell };
}
