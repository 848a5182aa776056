/** Makes the {@link ClientSession} of an id: commands over the live connection, the rest over HTTP. */
import {
  ArtifactAnswer,
  type ClientCommand,
  type CommandBody,
  type ContentBlock,
  EventsAnswer,
  ExecAnswer,
  makeCommandId,
  makeSessionId,
  type Present,
  Receipt,
  ScopedTokenAnswer,
  ScreenAnswer,
  SessionAnswer,
  type SessionId,
  TimelineAnswer,
  WorkspaceResult
} from "@holdfast/core"
import * as Schema from "effect/Schema"
import type { SendOptions } from "./CallOptions.ts"
import type { ClientSession } from "./ClientSession.ts"
import { followEvents } from "./followEvents.ts"
import type { HttpCaller } from "./HttpCaller.ts"
import type { Keystrokes } from "./Keystrokes.ts"
import { makeFiles } from "./makeFiles.ts"
import { openTerminal } from "./openTerminal.ts"
import { openView } from "./openView.ts"
import type { PendingCommands } from "./PendingCommands.ts"
import type { SessionChannel } from "./SessionChannel.ts"
import type { Subscriptions } from "./Subscriptions.ts"

/** How often it is said again that somebody types: a server forgets it after 6 s. */
const typingMs = 3_000

/** On top of a command's own time, for what is around it. */
const execMarginMs = 15_000
const defaultExecMs = 60_000

/** A push of a large repository, and what the session's backend may take to be heard of again. */
const workspaceMs = 5 * 60_000

const ArtifactsAnswer = Schema.Struct({
  artifacts: Schema.Array(ArtifactAnswer),
  next: Schema.optionalKey(Schema.String)
})

/** What a session is made of: parts of its client. */
export interface SessionParts {
  readonly http: HttpCaller
  readonly commands: PendingCommands
  readonly subscriptions: Subscriptions
  readonly channelOf: (sessionId: SessionId) => SessionChannel
  readonly keystrokesOf: (sessionId: SessionId) => Keystrokes
  readonly sendTyping: (sessionId: SessionId, typing: boolean) => void
  readonly session: (sessionId: SessionId) => ClientSession
  readonly onError: (error: unknown) => void
}

/** Makes a session. */
export const makeSession = (parts: SessionParts, sessionId: SessionId): ClientSession => {
  const { http, onError, subscriptions } = parts
  const path = `/sessions/${sessionId}`
  let typedAt = Number.NEGATIVE_INFINITY

  const command = (body: ClientCommand, options?: SendOptions): Promise<Receipt> =>
    parts.commands.send(sessionId, body, options)
  /** Ids come from an app as text. What is no id is refused, with the name of its field. */
  const send = <T extends ClientCommand["type"]>(
    type: T,
    data: { readonly [K in keyof CommandBody<T>["data"]]: unknown },
    options?: SendOptions
  ): Promise<Receipt> => command({ type, data } as ClientCommand, options)

  const session: ClientSession = {
    sessionId,
    view: (options) =>
      openView(
        {
          sessionId,
          channel: parts.channelOf(sessionId),
          http,
          watchPresent: (listener: (present: ReadonlyArray<Present>) => void) =>
            subscriptions.watchPresent(sessionId, listener),
          onError
        },
        options
      ),
    terminal: (options) =>
      openTerminal(
        {
          channel: parts.channelOf(sessionId),
          keystrokes: parts.keystrokesOf(sessionId),
          command,
          onError
        },
        options
      ),
    events: (after, options) => followEvents(subscriptions, sessionId, after, options?.signal),

    command,
    prompt: (content, options = {}) => {
      const { delivery, turnId, ...how } = options
      return send("prompt.send", defined({ content: blocksOf(content), delivery, turnId }), how)
    },
    editPrompt: (promptId, content, options) => send("prompt.edit", { promptId, content: blocksOf(content) }, options),
    withdrawPrompt: (promptId, options = {}) => {
      const { reason, ...how } = options
      return send("prompt.withdraw", defined({ promptId, reason }), how)
    },
    interrupt: (turnId, options) => send("turn.interrupt", defined({ turnId }), options),
    resolve: (requestId, outcome, options) => send("permission.resolve", { requestId, outcome }, options),
    answer: (requestId, outcome, options) => send("question.answer", { requestId, outcome }, options),
    configure: (choice, options) => send("backend.configure", defined({ ...choice }), options),
    rename: (title, options) => send("session.rename", { title }, options),
    archive: (options) => send("session.archive", {}, options),
    unarchive: (options) => send("session.unarchive", {}, options),
    suspend: (options = {}) => {
      const { reason, ...how } = options
      return send("session.suspend", defined({ reason }), how)
    },
    open: (options) => send("session.open", {}, options),
    closeSession: (options = {}) => {
      const { force, reason, ...how } = options
      return send("session.close", defined({ force, reason }), how)
    },
    addArtifact: (artifactId, artifact, options) => send("artifact.add", { artifactId, artifact }, options),
    updateArtifact: (artifactId, artifact, options) => send("artifact.update", { artifactId, artifact }, options),
    fork: async ({ at, commandId = makeCommandId(), signal, title } = {}) => {
      const receipt = await http.json(Receipt, {
        method: "POST",
        path: `${path}/fork`,
        json: defined({ into: makeSessionId(), at, title, commandId }),
        repeatable: true,
        signal
      })
      return parts.session(receipt.sessionId)
    },
    handoff: ({ backend, restart, spec }, { commandId = makeCommandId(), signal, timeoutMs } = {}) =>
      http.json(Receipt, {
        method: "POST",
        path: `${path}/handoff`,
        json: defined({ backend, spec, restart, timeoutMs, commandId }),
        timeoutMs: (timeoutMs ?? defaultQuietMs) + carryMs,
        repeatable: true,
        signal
      }),
    remove: async (options) => http.done({ method: "DELETE", path, signal: options?.signal }),

    typing: (typing) => {
      const now = performance.now()
      if (typing ? now - typedAt < typingMs : typedAt === Number.NEGATIVE_INFINITY) return
      typedAt = typing ? now : Number.NEGATIVE_INFINITY
      parts.sendTyping(sessionId, typing)
    },

    get: (options) => http.json(SessionAnswer, { method: "GET", path, signal: options?.signal }),
    page: ({ signal, ...query } = {}) =>
      http.json(EventsAnswer, { method: "GET", path: `${path}/events`, query, signal }),
    screen: (at, options) =>
      http.json(ScreenAnswer, { method: "GET", path: `${path}/screen`, query: { at }, signal: options?.signal }),
    timelineAt: (at, { limit, signal } = {}) =>
      http.json(TimelineAnswer, { method: "GET", path: `${path}/timeline`, query: { at, limit }, signal }),
    artifacts: async (options) => {
      const all: Array<ArtifactAnswer> = []
      let cursor: string | undefined
      do {
        const page = await http.json(ArtifactsAnswer, {
          method: "GET",
          path: `${path}/artifacts`,
          query: { limit: 1_000, cursor },
          signal: options?.signal
        })
        all.push(...page.artifacts)
        cursor = page.next
      } while (cursor !== undefined)
      return all
    },
    files: makeFiles(http, path),
    exec: (program, options = {}) => {
      const { args, directory, input, shell, signal, timeoutMs } = options
      return http.json(ExecAnswer, {
        method: "POST",
        path: `${path}/exec`,
        json: defined({ command: program, args, directory, input, shell, timeoutMs }),
        timeoutMs: (timeoutMs ?? defaultExecMs) + execMarginMs,
        signal
      })
    },
    workspace: (action, options) =>
      http.json(WorkspaceResult, {
        method: "POST",
        path: `${path}/workspace`,
        json: action,
        timeoutMs: workspaceMs,
        signal: options?.signal
      }),
    exportUrl: (format) => http.urlOf(`${path}/export`, { format }),
    export: (format, options) =>
      http.response({ method: "GET", path: `${path}/export`, query: { format }, signal: options?.signal }),
    share: ({ expiresInSeconds, name, role, signal }) =>
      http.json(ScopedTokenAnswer, {
        method: "POST",
        path: "/auth/tokens",
        json: defined({ sessionId, role, name, expiresInSeconds }),
        signal
      }),
    revoke: (tokenId, options) =>
      http.done({ method: "DELETE", path: `/auth/tokens/${encodeURIComponent(tokenId)}`, signal: options?.signal })
  }
  return session
}

/** The server waits so long for the end of a turn before it moves a session, unless it is told otherwise: 10 minutes. */
const defaultQuietMs = 600_000

/** Packing a session's workspace and unpacking it elsewhere may take 10 minutes each, and a little more for the rest. */
const carryMs = 25 * 60_000

const blocksOf = (content: string | ReadonlyArray<ContentBlock>): ReadonlyArray<ContentBlock> =>
  typeof content === "string" ? [{ type: "text", text: content }] : content

/** Without the fields that are not given: a command has no undefined ones. */
const defined = <T extends object>(fields: T): { readonly [K in keyof T]: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never
