import assert from "node:assert/strict";
import test from "node:test";
import { hiddenGoal, mayLead, ownRoute } from "../../../static/js/lib/safe_links.js";

test("links lead to the web and to mailboxes, and nowhere else", () => {
  for (const href of ["http://a.example", "HTTPS://a.example/b", "mailto:ana@a.example"])
    assert.ok(mayLead(href), href);
  for (const href of [
    "javascript:alert(1)",
    "data:text/html,x",
    "file:///etc/passwd",
    "blob:x",
    "//a.example",
    "http://",
    "x",
  ]) {
    assert.ok(!mayLead(href), href);
  }
});

test("where a link leads is said unless it is just what is shown", () => {
  for (const [href, shown, goal] of [
    ["https://a.example/b?c#d", "https://a.example/b?c#d", ""],
    ["https://a.example", "a.example", ""],
    ["HTTP://A.Example/B", "HTTP://A.Example/B", ""],
    ["http://[::1]:7680/", "http://[::1]:7680/", ""],
    ["mailto:ana@a.example", "mailto:ana@a.example", ""],
    ["mailto:ana@a.example?subject=x", "ana@a.example", ""],
    // Other words, another host, a host that only begins the same.
    ["https://evil.example", "click here", "evil.example"],
    ["https://evil.example/a.example", "https://a.example", "evil.example"],
    ["https://a.example.evil.example", "https://a.example", "a.example.evil.example"],
    ["https://a.example", "https://a.example.evil.example", "a.example"],
    ["mailto:mallory@evil.example", "ana@a.example", "mallory@evil.example"],
    // A name in front of an @ is not where it leads, and what is behind a backslash may be.
    ["https://a.example@evil.example/", "https://a.example@evil.example/", "evil.example"],
    ["https://a.example:80@evil.example/", "https://a.example:80@evil.example/", "evil.example"],
    ["https://evil.example\\@a.example/", "https://evil.example\\@a.example/", "evil.example"],
    // Letters that look like others: the browser's own form tells.
    ["https://\u0430pple.example/", "https://\u0430pple.example/", "xn--pple-43d.example"],
    ["https://xn--pple-43d.example/", "https://xn--pple-43d.example/", ""],
    ["https://ex\u00e4mple.example/", "https://ex\u00e4mple.example/", "xn--exmple-cua.example"],
    ["https://a\u3002example/", "https://a\u3002example/", "a.example"],
    ["http://2130706433/", "http://2130706433/", "127.0.0.1"],
    // Characters that turn what is shown around.
    ["https://a.example/\u202etxt.exe", "https://a.example/\u202etxt.exe", "a.example"],
  ]) {
    assert.equal(hiddenGoal(href, shown), goal, `${shown} leads to ${href}`);
  }
});

test("a link to a message leads to the reader's page", () => {
  for (const origin of ["http://127.0.0.1:17711", "http://localhost", "http://127.4.5.6:1", "https://[::1]:7680"]) {
    assert.equal(ownRoute(`${origin}/#/channel/general/0af3`), "#/channel/general/0af3");
    assert.equal(ownRoute(`${origin}/#/with/${"aa".repeat(32)}`), `#/with/${"aa".repeat(32)}`);
  }
});

test("other addresses are no links to a message", () => {
  for (const href of [
    "http://192.0.2.9:7680/#/channel/general/0af3",
    "http://127.0.0.1.example/#/channel/general",
    "http://127.0.0.1:17711/",
    "http://127.0.0.1:17711/#token=abc",
    "http://127.0.0.1:17711/other#/channel/general",
    "http://127.0.0.1:17711/?a#/channel/general",
    "http://127.0.0.1:17711/#/channel/general/0af3/more",
    "mailto:ana@localhost",
  ])
    assert.equal(ownRoute(href), null, href);
});
