/** One session with Effect. */
import type { Followed, SessionId } from "@holdfast/core"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { ClientError } from "./ClientError.ts"
import type { ClientSession, ExportFormat } from "./ClientSession.ts"
import type { TerminalSize } from "./ClientTerminal.ts"
import {
  asClientError,
  type EffectCalls,
  effectCalls,
  type EffectLive,
  effectLive,
  type PromiseMethod
} from "./EffectCalls.ts"
import { type EffectTerminal, effectTerminal } from "./EffectTerminal.ts"
import type { SessionFiles } from "./SessionFiles.ts"
import type { ViewOptions, ViewState } from "./SessionView.ts"

/** A view of a session. */
export interface EffectView extends EffectLive<ViewState> {
  /** As `SessionView.loadOlder`. */
  readonly loadOlder: Effect.Effect<void, ClientError>
}

/** A session: everything of `ClientSession`. */
export interface EffectSession extends Omit<EffectCalls<ClientSession>, "fork"> {
  readonly sessionId: SessionId
  /** Opens a view until the scope closes. */
  readonly view: (options?: ViewOptions) => Effect.Effect<EffectView, never, Scope.Scope>
  /** Joins the terminal until the scope closes. */
  readonly terminal: (options?: Partial<TerminalSize>) => Effect.Effect<EffectTerminal, never, Scope.Scope>
  /** Every event after `after`, over reconnections; who does not pull gets none. */
  readonly events: (after: number) => Stream.Stream<Followed, ClientError>
  readonly fork: (...args: Parameters<ClientSession["fork"]>) => Effect.Effect<EffectSession, ClientError>
  readonly typing: (typing: boolean) => Effect.Effect<void>
  readonly files: EffectCalls<SessionFiles>
  readonly exportUrl: (format: ExportFormat) => string
}

/** Where each call has its options. A call that is not here does not compile. */
const optionsAt: { readonly [K in PromiseMethod<ClientSession>]: number } = {
  command: 1,
  prompt: 1,
  editPrompt: 2,
  withdrawPrompt: 1,
  interrupt: 1,
  resolve: 2,
  answer: 2,
  configure: 1,
  rename: 1,
  archive: 0,
  unarchive: 0,
  suspend: 0,
  open: 0,
  closeSession: 0,
  addArtifact: 2,
  updateArtifact: 2,
  fork: 0,
  handoff: 1,
  remove: 0,
  get: 0,
  page: 0,
  screen: 1,
  timelineAt: 1,
  artifacts: 0,
  exec: 1,
  workspace: 1,
  export: 1,
  share: 0,
  revoke: 1
}

const filesOptionsAt: { readonly [K in PromiseMethod<SessionFiles>]: number } = {
  list: 1,
  facts: 1,
  read: 1,
  write: 2,
  upload: 2
}

/** Turns a session around. */
export const effectSession = (session: ClientSession): EffectSession => {
  const calls = effectCalls(session, optionsAt)
  return {
    ...calls,
    sessionId: session.sessionId,
    view: (options) =>
      Effect.map(
        Effect.acquireRelease(
          Effect.sync(() => session.view(options)),
          (view) => Effect.sync(view.close)
        ),
        (view) => ({
          ...effectLive(view),
          loadOlder: Effect.tryPromise({ try: view.loadOlder, catch: asClientError })
        })
      ),
    terminal: (options) => effectTerminal(session, options),
    events: (after) => Stream.suspend(() => Stream.fromAsyncIterable(session.events(after), asClientError)),
    fork: (options) => Effect.map(calls.fork(options), effectSession),
    typing: (typing) => Effect.sync(() => session.typing(typing)),
    files: effectCalls(session.files, filesOptionsAt),
    exportUrl: session.exportUrl
  }
}
