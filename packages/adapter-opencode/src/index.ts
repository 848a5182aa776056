/** Opencode sessions as a Holdfast backend. */
export {}
