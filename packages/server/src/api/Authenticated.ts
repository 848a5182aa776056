/** Endpoints for whoever has proved who they are. */
import { Context } from "effect"
import { HttpApiMiddleware } from "effect/http-api"
import type { Caller } from "../auth/Authenticator.ts"

/** Who calls. */
export class CurrentCaller extends Context.Service<CurrentCaller, Caller>()("@holdfast/server/CurrentCaller") {}

/** Finds out who calls, and refuses who cannot prove it. */
export class Authenticated extends HttpApiMiddleware.Service<Authenticated, { provides: CurrentCaller }>()(
  "@holdfast/server/Authenticated"
) {}
