/** Moves a session between this machine and a sandbox: what `holdfast handoff` does. */
import { type EventRecord, readEvent, type SessionState } from "@holdfast/core"
import { makeSessionReader } from "@holdfast/runtime"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { EndWith, exitCodes, usage } from "../ExitCode.ts"
import { json as printJson, line, note } from "../output/Output.ts"
import { ownerGone, reachOwner } from "../owner/OwnerClient.ts"
import type { CloudProvider } from "../sandbox/CloudRun.ts"
import { checkProvider } from "../sandbox/SandboxHost.ts"
import { findSession } from "../store/FindSession.ts"
import { openReader, type Reader } from "../store/Reader.ts"
import { shortId } from "../store/ShortId.ts"
import { watchMove } from "./WatchMove.ts"

/** Where it goes, and how. */
export interface MoveOptions {
  readonly store: string
  readonly json: boolean
  readonly to: "local" | CloudProvider
  /** Absolute: the folder that its workspace is brought to, on this machine. */
  readonly cwd: string | undefined
  readonly image: string | undefined
  /** Starts the program anew. */
  readonly restart: boolean
}

/** What goes along of a spec: the rest belongs to the place where it was. */
const kept = ["profile", "command", "args", "model", "effort", "approvalPolicy", "sandbox", "agent"]

/** What runs in a session, wherever it does. */
const programOf = ({ backend, spec }: SessionState): { readonly backend: string; readonly spec: object } => {
  const { inner } = (spec ?? {}) as { readonly inner?: { readonly backend: string; readonly spec?: object } }
  const program = backend === "cloud" && inner !== undefined ? inner : { backend, spec: spec as object }
  const fields = Object.entries(program.spec ?? {}).filter(([name]) => kept.includes(name))
  return { backend: program.backend, spec: Object.fromEntries(fields) }
}

/** The folder on this machine that a session worked in last, by its log; undefined where it never did. */
const lastFolder = (log: Reader, sessionId: SessionState["sessionId"]) => {
  let folder: string | undefined
  const look = (record: EventRecord) => {
    if (record.type !== "session.created" && record.type !== "session.moved") return
    const read = readEvent(record)
    if (read.kind !== "known") return
    const { event } = read
    if (event.type !== "session.created" && event.type !== "session.moved") return
    if (event.data.backend !== "cloud" && event.data.workspace !== undefined) folder = event.data.workspace
  }
  return makeSessionReader(log)
    .follow(sessionId, 0)
    .pipe(
      Stream.takeUntil((page) => page.answer === "caught-up" || page.answer === "gap"),
      Stream.runForEach((page) =>
        Effect.sync(() => {
          if ("events" in page) for (const record of page.events) look(record)
        })
      ),
      Effect.map(() => folder)
    )
}

/** Moves it once its turn has ended; it is open then where it went. Ctrl-C calls that off for as long as it has not happened. */
export const moveSession = Effect.fnUntraced(
  function* ({ cwd, image, json, restart, store, to }: MoveOptions, asked: string) {
    const log = yield* openReader(store)
    const { sessionId } = yield* findSession(log, asked)
    const id = yield* shortId(log, sessionId)
    const state = yield* makeSessionReader(log).state(sessionId)
    const inner = programOf(state)
    const folder = cwd ?? (to === "local" ? yield* lastFolder(log, sessionId) : undefined)
    if (to === "local" && folder === undefined) {
      return yield* usage("it has never been on this machine: --cwd names the folder that its workspace is brought to")
    }
    if (to !== "local") yield* checkProvider(store, to)
    const target =
      to === "local"
        ? { backend: inner.backend, spec: { ...inner.spec, cwd: folder } }
        : { backend: "cloud", spec: { provider: to, inner, ...(image === undefined ? {} : { image }) } }
    const client = yield* reachOwner(store)
    const begun = state.turn === null ? "packing the session" : "waiting for the end of the turn"
    const seq = yield* watchMove(client, { sessionId, after: state.seq, begun }, { sessionId, target, restart })
    if (seq === undefined) {
      yield* note(`holdfast: called off; session ${id} stays where it was`)
      return yield* new EndWith({ code: exitCodes.interrupted })
    }
    const place = to === "local" ? folder! : `a ${to} sandbox`
    yield* json
      ? printJson({ sessionId, to, seq, ...(to === "local" ? { cwd: folder } : {}) })
      : line(`Session ${id} goes on in ${place}`)
  },
  (effect, { store }) => Effect.scoped(Effect.catchTag(effect, "RpcClientError", () => ownerGone(store)))
)
