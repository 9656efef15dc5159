// Where the parts of this page came from: those of another build are elsewhere.

export const ASSETS = new URL("../..", import.meta.url);
