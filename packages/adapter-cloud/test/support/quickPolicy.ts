/** Times for tests: nothing waits for long, and what is left lingers for a moment only. */
export const quickPolicy = { heartbeatMs: 1_000, staleAfterMs: 10_000, lingerMs: 2_000, spawnCooldownMs: 100 }

/** How long a bridge looks for a host that was killed, in milliseconds: it must not outlive a killed test run for long. */
export const testLifetimeMs = 60_000
