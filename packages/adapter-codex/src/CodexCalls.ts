/**
 * The requests that are sent to an app-server, with what of their answers is read (`codex app-server generate-ts
 * --experimental`, 0.169.0). Answers are decoded leniently: only what nothing can go on without is required.
 */
import { lenient } from "@holdfast/core"
import { Schema } from "effect"

const S = Schema
const text = S.String
const optional = S.optionalKey

/** What a user says, in pieces. */
export const CodexInput = S.Union([
  S.Struct({ type: S.Literal("text"), text, text_elements: S.Array(S.Never) }),
  /** By `data:` or web address: what the server puts into the model's request as it is. */
  S.Struct({ type: S.Literal("image"), url: text }),
  S.Struct({ type: S.Literal("localImage"), path: text })
])
export type CodexInput = typeof CodexInput.Type

/** When Codex asks. The granular object of the protocol is left to the configuration. */
export const ApprovalPolicy = S.Literals(["untrusted", "on-request", "never"])
export type ApprovalPolicy = typeof ApprovalPolicy.Type

const thread = { threadId: text }
const none = S.Struct({})

/** What a thread works with, as the answers that open one tell. */
const OpenedThread = S.Struct({
  thread: S.Struct({ id: text, name: lenient(text) }),
  model: lenient(text),
  reasoningEffort: lenient(text),
  /** A text, or an object where it is granular. */
  approvalPolicy: lenient(S.Unknown),
  activePermissionProfile: lenient(S.Struct({ id: text }))
})
export type OpenedThread = typeof OpenedThread.Type

/** How a thread is opened; what is left out is as the configuration, or the thread's own past, has it. */
const overrides = {
  cwd: optional(text),
  model: optional(text),
  modelProvider: optional(text),
  approvalPolicy: optional(ApprovalPolicy),
  /**
   * A named profile: `:read-only`, `:workspace`, `:danger-full-access`. Experimental, but used in place of `sandbox`: a thread
   * that was opened with `workspace-write` comes back from a restarted server with `read-only`, and the profile comes back.
   */
  permissions: optional(text),
  config: optional(S.Record(text, S.Unknown)),
  developerInstructions: optional(text)
}

const Turns = S.Struct({
  data: S.Array(S.Struct({ items: lenient(S.Array(S.Struct({ type: text, clientId: lenient(text) }))) })),
  nextCursor: lenient(text)
})

const Terminals = S.Struct({
  data: S.Array(S.Struct({ itemId: lenient(text), processId: text })),
  nextCursor: lenient(text)
})

const Models = S.Struct({
  data: S.Array(
    S.Struct({
      model: text,
      displayName: lenient(text),
      supportedReasoningEfforts: lenient(S.Array(S.Struct({ reasoningEffort: text })))
    })
  ),
  nextCursor: lenient(text)
})

const call = <P, R>(params: Schema.Codec<P, unknown>, result: Schema.Codec<R, unknown>) => ({ params, result })

/** Parameters and answers by method. */
export const calls = {
  initialize: call(
    S.Struct({
      clientInfo: S.Struct({ name: text, title: text, version: text }),
      capabilities: S.Struct({
        experimentalApi: S.Boolean,
        requestAttestation: S.Boolean,
        optOutNotificationMethods: S.Array(text)
      })
    }),
    S.Struct({ userAgent: lenient(text) })
  ),
  "thread/start": call(S.Struct({ ...overrides, cwd: text }), OpenedThread),
  "thread/resume": call(S.Struct({ ...thread, ...overrides, excludeTurns: S.Boolean }), OpenedThread),
  "thread/fork": call(
    S.Struct({ ...thread, ...overrides, lastTurnId: optional(text), excludeTurns: S.Boolean }),
    OpenedThread
  ),
  "thread/loaded/list": call(none, none),
  "thread/name/set": call(S.Struct({ ...thread, name: text }), none),
  "thread/settings/update": call(
    S.Struct({
      ...thread,
      model: optional(text),
      effort: optional(text),
      approvalPolicy: optional(ApprovalPolicy),
      permissions: optional(text)
    }),
    none
  ),
  "thread/turns/list": call(
    S.Struct({ ...thread, limit: S.Int, itemsView: S.Literal("full"), cursor: optional(text) }),
    Turns
  ),
  "thread/compact/start": call(S.Struct(thread), none),
  "thread/revert": call(S.Struct({ ...thread, beforeTurnId: text }), none),
  "thread/archive": call(S.Struct(thread), none),
  "thread/unarchive": call(S.Struct(thread), none),
  "thread/unsubscribe": call(S.Struct(thread), S.Struct({ status: lenient(text) })),
  "thread/backgroundTerminals/list": call(S.Struct(thread), Terminals),
  "thread/backgroundTerminals/clean": call(S.Struct(thread), none),
  "thread/backgroundTerminals/terminate": call(
    S.Struct({ ...thread, processId: text }),
    S.Struct({ terminated: lenient(S.Boolean) })
  ),
  "turn/start": call(
    S.Struct({ ...thread, input: S.Array(CodexInput), clientUserMessageId: text }),
    S.Struct({ turn: S.Struct({ id: text }) })
  ),
  "turn/steer": call(
    S.Struct({ ...thread, input: S.Array(CodexInput), clientUserMessageId: text, expectedTurnId: text }),
    S.Struct({ turnId: lenient(text) })
  ),
  "turn/interrupt": call(S.Struct({ ...thread, turnId: text }), none),
  "model/list": call(S.Struct({ limit: S.Int, cursor: optional(text) }), Models)
} as const

/** A method of the app-server. */
export type CodexMethod = keyof typeof calls

/** What it is called with. */
export type ParamsOf<M extends CodexMethod> = (typeof calls)[M]["params"]["Type"]

/** What of its answer is read. */
export type ResultOf<M extends CodexMethod> = (typeof calls)[M]["result"]["Type"]
