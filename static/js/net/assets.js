// Where the parts of this page came from: those of another build are elsewhere.

export const ASSETS = new URL("../..", import.meta.url);

/** Loads a style sheet. Resolves also where that fails: a page without it still works. */
export function loadStyles(path) {
  return new Promise((resolve) => {
    const link = document.createElement("link");
    link.rel = "stylesheet";
    link.href = new URL(path, ASSETS).href;
    link.onload = link.onerror = resolve;
    document.head.append(link);
  });
}
