/** What runs in the process that is killed, and again in the test that looks at what is left. */
import { Effect, type Scope } from "effect"
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { openCloud } from "./cloudHouse.ts"
import { backendsOf, type HandoffPlace, type HandoffRuntime, startHandoffRuntime } from "./handoffHouse.ts"

/** Where the session goes from `here`, and comes back from. */
export type Route = "there" | "cloud"

/** A runtime with the backends of a route. Its sandboxes find the next one at the same socket. */
export const startRoute = Effect.fnUntraced(function* (
  place: HandoffPlace,
  route: Route
): Effect.fn.Return<HandoffRuntime & { readonly sandboxes: Effect.Effect<number, unknown> }, unknown, Scope.Scope> {
  // Killed so often, the session would be given up, and the wait for the next try be ever longer.
  const policy = { maxAttempts: 1_000, maxPromptReturns: 1_000, retryDelayMs: 0 }
  if (route === "there") {
    return { ...(yield* startHandoffRuntime(place, { policy })), sandboxes: Effect.succeed(0) }
  }
  // Sandboxes see all of its folder.
  const folder = join(place.folder, "bridges")
  mkdirSync(folder, { recursive: true })
  const cloud = yield* openCloud(place.folder, { socket: join(folder, "socket") })
  const runtime = yield* startHandoffRuntime(place, { policy, backends: [...backendsOf(place), cloud.backend] })
  return { ...runtime, sandboxes: Effect.map(cloud.sandboxes, ({ length }) => length) }
})
