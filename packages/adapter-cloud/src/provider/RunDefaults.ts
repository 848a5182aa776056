/** What a run has where nothing else is asked for. */
export const runDefaults = { timeoutMs: 60_000, maxOutputBytes: 1024 * 1024 } as const
