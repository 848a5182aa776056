/** Follows and drives sessions of a Holdfast server, from browsers and Node. */
export * from "./Live.ts"
