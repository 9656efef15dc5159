// Says so when the page does not come up: after five seconds, or at once if one of its parts fails.
// A classic script of its own, because what it watches is whether the modules load at all.
"use strict";
(() => {
  const ready = () => document.documentElement.dataset.ready !== undefined;
  const slow = document.getElementById("slow");
  const show = () => {
    if (!ready()) slow.hidden = false;
  };
  document.getElementById("slow-reload").addEventListener("click", () => location.reload());
  setTimeout(show, 5000);
  addEventListener("error", show, true);
  addEventListener("unhandledrejection", show);
})();
