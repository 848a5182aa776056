/** Threads of a Codex app-server as a backend. */
import type { Backend, OpenRequest, UnpackRequest } from "@holdfast/core"
import { makeSharedServer } from "@holdfast/process"
import { Effect } from "effect"
import type { CodexOptions } from "./CodexLaunch.ts"
import { codexCapabilities, openCodexSession } from "./CodexSession.ts"
import { startCodexServer } from "./CodexServer.ts"
import { makeSpecCheck } from "./CodexSpec.ts"
import { unpackThread } from "./ThreadHandoff.ts"

/**
 * The backend named `codex`, or as the options say. Its specs are `CodexSpec`s.
 *
 * One app-server works for all of its sessions: it is started when the first of them is opened, started again when one is
 * opened after its death, and ended by `release`. It ends by itself when the host dies. When it dies, all sessions on it are
 * lost at once and can be opened again; whatever its commands had started is ended.
 */
export const codexBackend = (options: CodexOptions = {}): Backend => {
  const name = options.name ?? "codex"
  const { check, recorded } = makeSpecCheck(name, options.elsewhere)
  const shared = makeSharedServer({ start: startCodexServer(options) })
  const open = Effect.fn("codex.open")(function* (request: OpenRequest) {
    const spec = yield* recorded(request.spec)
    const server = yield* shared.get
    return yield* openCodexSession(name, server, spec, request)
  })
  const unpack = Effect.fn("codex.unpack")(function* (request: UnpackRequest) {
    const spec = yield* recorded(request.spec)
    return yield* unpackThread(name, yield* shared.get, spec, request)
  })
  return { name, capabilities: codexCapabilities, check, open, unpack, release: shared.release }
}
