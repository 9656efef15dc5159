// Where the parts of this page came from: those of another build are elsewhere.

export const PARTS = new URL("..", import.meta.url);
