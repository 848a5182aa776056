/** One opening of a scripted backend: both the session that a runtime sees, and the strings that a test pulls. */
import {
  type BackendCommand,
  type BackendEvent,
  BackendLost,
  BackendRefused,
  type BackendSession,
  type Capabilities,
  makeBackendOutbox,
  type OpenRequest,
  type Performed
} from "@holdfast/core"
import { Deferred, Effect, type Scope, Semaphore } from "effect"
import { makeWaitableList } from "./WaitableList.ts"

/** How a command is answered. */
export type ScriptedAnswer = (
  command: BackendCommand,
  session: ScriptedSession
) => Effect.Effect<Performed, BackendRefused | BackendLost>

/** One opening in the hands of a test. */
export interface ScriptedSession {
  readonly request: OpenRequest
  readonly capabilities: Capabilities
  /** Every command so far, refused ones too. */
  readonly performed: ReadonlyArray<BackendCommand>
  /** Says events now. False when the stream has ended. */
  readonly say: (...events: ReadonlyArray<BackendEvent>) => boolean
  readonly end: () => void
  readonly die: (reason: string, retryable: boolean) => void
  /** Lets one {@link pause} go on. */
  readonly advance: Effect.Effect<void>
  /** Waits for one {@link advance}. */
  readonly advanced: Effect.Effect<void>
  /** Waits for the next command, of a type if one is given, after those that were waited for before. */
  readonly nextCommand: (type?: BackendCommand["type"]) => Effect.Effect<BackendCommand>
  /** Waits until the outbox is not full. */
  readonly drained: Effect.Effect<void>
  /** Whether its scope was closed. */
  readonly isReleased: () => boolean
}

/** What a session is made with. */
export interface ScriptedSessionOptions extends Pick<
  BackendSession,
  "capabilities" | "nativeId" | "version" | "arrived" | "size"
> {
  readonly answer?: ScriptedAnswer
  readonly survives?: boolean
}

/** The capability that a command needs; `close` is always there. */
const needs: { readonly [T in BackendCommand["type"]]?: keyof Capabilities } = {
  prompt: "prompts",
  interrupt: "interrupt",
  resolvePermission: "permissions",
  answerQuestion: "questions",
  write: "terminal",
  resize: "terminal",
  signal: "signals",
  configure: "configure",
  compact: "compact",
  revert: "revert",
  restore: "revert",
  stopItem: "stopItems",
  archive: "archive",
  fork: "fork",
  suspend: "suspend"
}

/** Takes every command and does nothing, except that `close` and `suspend` end the session in order. */
export const obedient: ScriptedAnswer = (command, session) =>
  Effect.sync((): Performed => {
    if (command.type === "close") {
      session.say({ type: "backend.closed", data: { reason: command.force ? "killed" : "closed" } })
      session.end()
    }
    if (command.type === "suspend") {
      session.say({ type: "backend.suspended", data: { reason: "asked" } })
      session.end()
    }
    return {}
  })

/** Makes both faces of an opening. */
export const makeScriptedSession = Effect.fnUntraced(function* (
  name: string,
  request: OpenRequest,
  options: ScriptedSessionOptions
): Effect.fn.Return<
  { readonly session: ScriptedSession; readonly backendSession: BackendSession },
  never,
  Scope.Scope
> {
  const { answer = obedient, survives = false, capabilities, nativeId, version, arrived, size } = options
  const commands = makeWaitableList<BackendCommand>()
  const steps = Semaphore.makeUnsafe(0)
  let awaited = 0
  let isEnded = false
  let isReleased = false
  let drained = Deferred.makeUnsafe<void>()
  const outbox = makeBackendOutbox({
    onDrain: () => {
      Deferred.doneUnsafe(drained, Effect.void)
      drained = Deferred.makeUnsafe<void>()
    }
  })
  const end = () => {
    isEnded = true
    outbox.end()
  }

  const session: ScriptedSession = {
    request,
    capabilities,
    performed: commands.items,
    say: (...events) => outbox.push(events),
    end,
    die: (reason, retryable) => {
      isEnded = true
      outbox.fail(new BackendLost({ backend: name, reason, retryable }))
    },
    advance: Effect.asVoid(steps.release(1)),
    advanced: Effect.asVoid(steps.take(1)),
    nextCommand: (type) =>
      commands.find((items) => {
        const at = items.findIndex((command, index) => index >= awaited && (type ?? command.type) === command.type)
        if (at === -1) return undefined
        awaited = at + 1
        return items[at]
      }),
    drained: Effect.suspend(() => (outbox.isFull() ? Deferred.await(drained) : Effect.void)),
    isReleased: () => isReleased
  }

  const perform = (command: BackendCommand): Effect.Effect<Performed, BackendRefused | BackendLost> =>
    Effect.suspend(() => {
      commands.add(command)
      const refuse = (reason: string) =>
        Effect.fail(new BackendRefused({ backend: name, command: command.type, reason, retryable: false }))
      const need = needs[command.type]
      if (need !== undefined && capabilities[need] !== true) return refuse(`it has no ${need}`)
      if (isEnded) return command.type === "close" ? Effect.succeed({}) : refuse("it has ended")
      return answer(command, session)
    })

  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      isReleased = true
      if (!survives) end()
    })
  )
  const optional = { nativeId, version, arrived, size }
  const given = Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined))
  const { passOutput, stream: events } = outbox
  return { session, backendSession: { ...given, capabilities, events, passOutput, perform } }
})
