// What the composer does with the text when it is sent: a registry. A feature adds its own mode and enters it with
// `app.composer.enter({ type: "reply", id })`.

/**
 * @typedef {import("../app.js").App} App
 * @typedef {{ type: string, id?: string, text?: string }} Mode
 * @typedef {import("../types.d.ts").ComposerMode} ComposerMode
 */

/** Further fields of a message or an edit with this text, such as whom it mentions. @type {((text: string) => Record<string, unknown>)[]} */
export const messageFields = [];

export const fieldsOfText = (text) => Object.assign({}, ...messageFields.map((fields) => fields(text)));

/** @type {Record<string, ComposerMode>} */
export const composerModes = {
  compose: {
    keepsDraft: true,
    takesCommands: true,
    submit: (app, text) => app.say(text, { fields: fieldsOfText(text) }),
  },
};

export function modeOf(state) {
  const mode = composerModes[state.ui.composerMode.type];
  if (!mode) throw new Error(`no mode of the composer is called ${state.ui.composerMode.type}`);
  return mode;
}
