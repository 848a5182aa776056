/** Codex threads as a Holdfast backend. */
export {}
