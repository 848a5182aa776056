/** Opencode sessions as a backend, all of them on one server. */
import {
  type Backend,
  type BackendEvent,
  BackendLost,
  type BackendSession,
  type OpenRequest,
  SpecInvalid,
  type UnpackRequest
} from "@holdfast/core"
import { makeSharedServer, nameProblem } from "@holdfast/process"
import { Effect, Exit, Schema, type Scope } from "effect"
import type { OpencodeError } from "./OpencodeClient.ts"
import { findArrived } from "./OpencodeDoubt.ts"
import { makeOpencodeFeed } from "./OpencodeFeed.ts"
import { unpackSession } from "./OpencodeHandoff.ts"
import { makeOpencodeNormaliser } from "./OpencodeNormaliser.ts"
import { type Choice, choiceProblem, choose, offered, type OpencodeOffer, readOffer } from "./OpencodeOffer.ts"
import { modelOf } from "./OpencodePrompt.ts"
import { type OpencodeServer, type OpencodeServerOptions, reservedNames, startOpencode } from "./OpencodeServer.ts"
import { makeOpencodeSession, opencodeCapabilities } from "./OpencodeSession.ts"
import { readSnapshot } from "./OpencodeSnapshot.ts"
import { checkSpec, prepareSpec, type RecordedSpec } from "./OpencodeSpec.ts"

/** Options of {@link opencodeBackend}. */
export interface OpencodeBackendOptions extends OpencodeServerOptions {
  /**
   * Model calls that one turn may make before it is stopped and told as failed, default 200: a model whose stream ends
   * without a finish reason is called again for ever.
   */
  readonly maxSteps?: number
  /**
   * Its sessions run on another machine, as in a sandbox: `check` looks at no folder of this one, and `open` does. For hosts that
   * only check specs. Default false.
   */
  readonly elsewhere?: boolean
}

const Session = Schema.Struct({
  id: Schema.String,
  directory: Schema.String,
  model: Schema.optionalKey(Schema.Unknown),
  agent: Schema.optionalKey(Schema.Unknown)
})

/** Removing a session that was made by an opening which then failed. */
const removeDeadlineMs = 3_000

const lost = (reason: string, retryable: boolean, cause?: unknown) =>
  new BackendLost({ backend: "opencode", reason, retryable, ...(cause === undefined ? {} : { cause }) })

const lostBy = (error: OpencodeError) =>
  lost(error.message, !["not found", "unauthorized", "refused"].includes(error.reason), error)

/**
 * The backend named `opencode`. Its specs are `OpencodeSpec`s. A server is started when the first session is opened, serves all
 * of them, is started again when it is needed after its death, and ends with `release`, or when the host dies, however it
 * dies.
 */
export const opencodeBackend = (options: OpencodeBackendOptions = {}): Backend => {
  requireOptions(options)
  const shared = makeSharedServer({ start: startOpencode(options) })
  /** The sessions that are open, by Opencode's ids. */
  const open = new Set<string>()
  return {
    name: "opencode",
    capabilities: opencodeCapabilities,
    check: (spec) => checkSpec(spec, options.server, options.elsewhere),
    open: Effect.fn("opencode.open")(function* (request: OpenRequest) {
      const spec = yield* prepareSpec(request.spec, options.server)
      const session = yield* openSession(yield* shared.get, request, spec, options.maxSteps ?? 200)
      const { nativeId } = session
      if (nativeId !== undefined) {
        yield* Effect.acquireRelease(
          Effect.sync(() => open.add(nativeId)),
          () => Effect.sync(() => open.delete(nativeId))
        )
      }
      return session
    }),
    unpack: Effect.fn("opencode.unpack")(function* (request: UnpackRequest) {
      const spec = yield* prepareSpec(request.spec, options.server)
      return yield* unpackSession(yield* shared.get, spec, request, (sessionId) => open.has(sessionId))
    }),
    release: shared.release
  }
}

/** Options are the host's own code: what is wrong with them is thrown at once, with the option's name. */
const requireOptions = ({ env, maxSteps, server }: OpencodeBackendOptions): void => {
  const expectOption = (isRight: boolean, name: string, expected: string) => {
    if (!isRight) throw new TypeError(`opencodeBackend: ${name} is not valid: expected ${expected}`)
  }
  expectOption(
    server === undefined || (/^https?:\/\/[^/]/.test(server.url) && URL.canParse(server.url)),
    "server.url",
    "an address such as http://127.0.0.1:4096"
  )
  expectOption(
    maxSteps === undefined || (Number.isInteger(maxSteps) && maxSteps > 0),
    "maxSteps",
    "a whole number from 1 on"
  )
  for (const name of [...(env?.pass ?? []), ...Object.keys(env?.values ?? {})]) {
    const problem = reservedNames.includes(name) ? "a name that is not set by the backend itself" : nameProblem(name)
    expectOption(problem === undefined, `env: ${name}`, problem ?? "")
  }
}

const openSession = Effect.fnUntraced(function* (
  server: OpencodeServer,
  request: OpenRequest,
  spec: RecordedSpec,
  maxSteps: number
): Effect.fn.Return<BackendSession, BackendLost | SpecInvalid, Scope.Scope> {
  const offer = yield* Effect.mapError(readOffer(server.client, spec.cwd), lostBy)
  const found = yield* findSession(server, request)
  const session = found ?? (yield* createSession(server, spec, offer))
  const opening = openStored(server, request, { offer, session, spec, choice: choose(offer, spec, found), maxSteps })
  const isOurs = request.nativeId === undefined
  // What nobody knows of must not stay on the server.
  return yield* Effect.onExit(Effect.mapError(opening, lostBy), (exit) =>
    isOurs && Exit.isFailure(exit) ? remove(server, session.id) : Effect.void
  )
})

const remove = ({ client }: OpencodeServer, sessionId: string) =>
  Effect.ignore(
    Effect.interruptible(
      client.send("DELETE", `/session/${sessionId}`, Schema.Unknown, { deadlineMs: removeDeadlineMs })
    )
  )

interface Stored {
  readonly session: typeof Session.Type
  readonly spec: RecordedSpec
  readonly offer: OpencodeOffer
  readonly choice: Choice
  readonly maxSteps: number
}

const openStored = Effect.fnUntraced(function* (
  server: OpencodeServer,
  { generation, inDoubt }: OpenRequest,
  { choice, maxSteps, offer, session, spec }: Stored
): Effect.fn.Return<BackendSession, OpencodeError, Scope.Scope> {
  const { client } = server
  const { directory, id: sessionId } = session
  const normaliser = makeOpencodeNormaliser({ sessionId, generation, directory })
  const first = [...firstEvents(server), offered(offer)]
  // It listens before it reads: what happens between the two is told twice, and never not at all.
  const feed = yield* makeOpencodeFeed({ server, normaliser, sessionId, directory, maxSteps, first })
  const status = yield* client.get("/session/status", Statuses, { directory })
  const isBusy = sessionId in status
  const arrived = yield* findArrived(client, sessionId, inDoubt, isBusy)
  for (const { messageId, promptId } of arrived) normaliser.expectPrompt(promptId, messageId)
  // Of what is over nothing is told; of a turn that runs, everything.
  const snapshot = yield* readSnapshot(client, {
    sessionId,
    directory,
    children: [],
    openChildren: [],
    reached: () => !isBusy
  })
  const opened = yield* makeOpencodeSession({
    server,
    feed,
    normaliser,
    sessionId,
    directory,
    spec,
    offer,
    choice,
    arrived: arrived.map(({ promptId }) => promptId)
  })
  feed.adopt(snapshot)
  return opened
})

const Statuses = Schema.Record(Schema.String, Schema.Unknown)

/** The session to go on with; undefined where a new one is to be made. */
const findSession = Effect.fnUntraced(function* ({ client }: OpencodeServer, request: OpenRequest) {
  const { forkOf, nativeId } = request
  const id = nativeId ?? forkOf
  if (id === undefined) return undefined
  // Other ids are answered with an error of the server's own.
  if (!/^ses_\w+$/.test(id)) return yield* lost(`${id} is no session of Opencode`, false)
  const found = yield* Effect.mapError(client.get(`/session/${id}`, Session), (error) =>
    error.reason === "not found" ? lost(`the server has no session ${id}`, false, error) : lostBy(error)
  )
  if (nativeId !== undefined) return found
  return yield* Effect.mapError(client.send("POST", `/session/${id}/fork`, Session, { body: {} }), lostBy)
})

/** Makes a session with what was asked for, all of which has to be there. */
const createSession = Effect.fnUntraced(function* (
  { client }: OpencodeServer,
  spec: RecordedSpec,
  offer: OpencodeOffer
) {
  const { agent: mode, effort, model } = spec
  const choice = {
    ...(model === undefined ? {} : { model }),
    ...(effort === undefined ? {} : { effort }),
    ...(mode === undefined ? {} : { mode })
  }
  const problem = choiceProblem(offer, choice)
  if (problem !== undefined) {
    const field = problem.field === "mode" ? "agent" : problem.field
    return yield* new SpecInvalid({ backend: "opencode", field, expected: problem.expected })
  }
  const chosen = choose(offer, spec)
  const body = {
    ...(spec.title === undefined ? {} : { title: spec.title }),
    ...(chosen.mode === undefined ? {} : { agent: chosen.mode }),
    ...(chosen.model === undefined ? {} : { model: sessionModel(chosen.model, chosen.effort) }),
    ...(spec.permission === undefined ? {} : { permission: spec.permission })
  }
  return yield* Effect.mapError(client.send("POST", "/session", Session, { directory: spec.cwd, body }), lostBy)
})

const sessionModel = (model: string, variant: string | undefined) => {
  const { modelID, providerID } = modelOf(model)
  return { id: modelID, providerID, ...(variant === undefined ? {} : { variant }) }
}

/** What a session tells first: on which process it runs, so that the process is found and ended if nobody else does. */
const firstEvents = ({ isUntested, process, version }: OpencodeServer): ReadonlyArray<BackendEvent> => {
  const events: Array<BackendEvent> = []
  if (process !== undefined) {
    const { args, command, cwd, env, server } = process
    events.push({
      type: "process.spawned",
      data: {
        pid: server.pid,
        startTime: server.identity?.startTime ?? "unknown",
        host: server.identity?.host ?? "",
        command,
        args,
        cwd,
        env,
        shared: true,
        marker: server.marker
      }
    })
  }
  if (isUntested) {
    const message = `Opencode ${version} is newer than what was tested`
    events.push({ type: "backend.noted", data: { level: "warning", message, code: "untested_version" } })
  }
  return events
}
