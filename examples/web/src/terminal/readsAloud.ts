/** Where it is kept that terminals give their text to screen readers. */
export const readsAloudKey = "holdfast.terminal.screen-reader"
