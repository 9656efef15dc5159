import assert from "node:assert/strict";
import test from "node:test";
import { renderSpans } from "../../../static/js/lib/rich_text.js";
import { fakeDocument } from "../fake_dom.mjs";

function linkIn(href) {
  globalThis.document = fakeDocument;
  const place = fakeDocument.createElement("div");
  renderSpans(place, [{ type: "link", href, spans: [{ type: "text", text: href }] }]);
  delete globalThis.document;
  return place.all.find(({ tag }) => tag === "a");
}

test("a link to a message stays in the page", () => {
  const { href, target } = linkIn("http://127.0.0.1:17711/#/channel/general/0af3");
  assert.deepEqual([href, target], ["#/channel/general/0af3", undefined]);
});

test("any other link opens a tab and tells no referrer", () => {
  const { href, target, rel } = linkIn("http://192.0.2.9/#/channel/general/0af3");
  assert.deepEqual([href, target, rel], ["http://192.0.2.9/#/channel/general/0af3", "_blank", "noopener noreferrer"]);
});
