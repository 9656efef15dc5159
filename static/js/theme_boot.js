// Sets the theme before the first paint, so nothing ever flashes in the wrong one. A classic script, after the
// link to the dark colours, because a module would run too late. The choice lives in this browser: there are no cookies.
"use strict";
(() => {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const contrast = matchMedia("(prefers-contrast: more)");

  let told = null; // where storage is forbidden

  function choice() {
    try {
      return told ?? localStorage.getItem("roomful.theme") ?? "auto";
    } catch {
      return "auto"; // storage can be forbidden; the page works without it
    }
  }

  function apply() {
    // Colors change at once: what fades would show the new words on the old ground.
    root.dataset.switching = "";
    requestAnimationFrame(() => delete root.dataset.switching);
    const chosen = choice();
    const isDark = chosen === "dark" || (chosen !== "light" && dark.matches);
    root.dataset.theme = isDark ? "dark" : "light";
    /** @type {HTMLLinkElement} */ (document.getElementById("dark")).media = isDark ? "screen" : "not all";
    root.dataset.contrast = chosen === "contrast" || contrast.matches ? "more" : "normal";
  }

  apply();
  dark.addEventListener("change", apply);
  contrast.addEventListener("change", apply);
  addEventListener("roomful-theme", (/** @type {CustomEvent} */ { detail }) => {
    told = detail;
    apply();
  });
})();
