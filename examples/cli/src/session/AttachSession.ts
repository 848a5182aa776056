/** Goes back to a session: through its owner to type into it, or through the log alone to look at it. */
import type { Lifecycle, SessionSummary } from "@holdfast/core"
import { makeSessionReader } from "@holdfast/runtime"
import * as Effect from "effect/Effect"
import { exitCodes, Refused } from "../ExitCode.ts"
import { attachedStream, endedLifecycles } from "../owner/AttachedStream.ts"
import { eventsAfter } from "../owner/EventsStream.ts"
import { ownerGone, type OwnerClient, reachOwner } from "../owner/OwnerClient.ts"
import { awaitSandbox } from "../sandbox/AwaitSandbox.ts"
import { findSession } from "../store/FindSession.ts"
import { openReader } from "../store/Reader.ts"
import { shortId } from "../store/ShortId.ts"
import type { DetachKey } from "../terminal/DetachKey.ts"
import { currentSize, isInteractive } from "../terminal/LocalTerminal.ts"
import { useSession, watchSession } from "../terminal/SessionView.ts"
import { attachFace } from "./AttachFace.ts"
import { hasFace } from "./FaceText.ts"
import { endView, hint, keepsRunning } from "./SessionEnding.ts"

/** How to show it. */
export interface AttachOptions {
  readonly store: string
  readonly detachKey: DetachKey
  readonly readOnly: boolean
}

const ended = (id: string, reason: string | null) =>
  Effect.fail(
    new Refused({
      code: exitCodes.refused,
      detail: `session ${id} has ended${reason === null ? "" : ` (${reason})`}: holdfast screen ${id} shows its last screen, holdfast replay ${id} plays it`
    })
  )

/** Where a session's sandbox is not there yet, or not any more. */
const unopened: ReadonlySet<Lifecycle> = new Set<Lifecycle>(["created", "opening", "suspended", "lost"])

/** Opens a session that rests, and waits for its sandbox. */
const wake = Effect.fnUntraced(function* (
  client: OwnerClient,
  { lifecycle, seq, sessionId }: SessionSummary,
  id: string
) {
  let after = seq
  if (lifecycle === "suspended" || lifecycle === "created") {
    const opened = yield* client.Command({ sessionId, command: { type: "session.open", data: {} } })
    after = opened.lastSeq
  }
  yield* awaitSandbox(client, { sessionId, id, after, onInterrupt: "leave" })
})

/** Shows it until it ends or is left. */
export const attachSession = Effect.fnUntraced(
  function* ({ detachKey, readOnly, store }: AttachOptions, asked: string) {
    const log = yield* openReader(store)
    const asleep = yield* findSession(log, asked)
    const { sessionId } = asleep
    const id = yield* shortId(log, sessionId)
    const isAwaited = asleep.backend === "cloud" && !readOnly && unopened.has(asleep.lifecycle)
    if (isAwaited) yield* wake(yield* reachOwner(store), asleep, id)
    const found = isAwaited ? yield* log.summary(sessionId) : asleep
    const isAgent = hasFace(found)
    const isOver = endedLifecycles.has(found.lifecycle)
    if (isAgent && readOnly) {
      const events = eventsAfter(makeSessionReader(log), sessionId, 0)
      return yield* attachFace({ client: undefined, events }, { sessionId, id, detachKey })
    }
    if (isAgent) {
      const client = yield* reachOwner(store)
      // A session that rests, or an agent's that has ended, goes on where it was.
      if (isOver) yield* client.Command({ sessionId, command: { type: "session.open", data: {} } })
      return yield* attachFace({ client, events: client.Events({ sessionId, after: 0 }) }, { sessionId, id, detachKey })
    }
    if (isOver) return yield* ended(id, found.reason)
    if (readOnly) {
      return yield* endView(yield* watchSession(attachedStream(makeSessionReader(log), sessionId), detachKey), id)
    }
    const client = yield* reachOwner(store)
    // A dead owner's session has just been ended by the new one.
    const now = yield* log.summary(sessionId)
    if (endedLifecycles.has(now.lifecycle)) return yield* ended(id, now.reason)
    const attached = client.Attach({ sessionId, ...(isInteractive() ? { size: currentSize() } : {}) })
    const left = yield* useSession(client, sessionId, attached, detachKey).pipe(
      Effect.onInterrupt(() => hint(keepsRunning(id)))
    )
    yield* endView(left, id)
  },
  (effect, { store }) => Effect.scoped(Effect.catchTag(effect, "RpcClientError", () => ownerGone(store)))
)
