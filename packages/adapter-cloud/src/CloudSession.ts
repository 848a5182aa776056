/** An open cloud session as the runtime uses it: commands go over the link, what concerns the sandbox itself to its owner. */
import {
  type BackendCommand,
  BackendLost,
  BackendRefused,
  type BackendSession,
  type Capabilities,
  type Performed
} from "@holdfast/core"
import { BackendCommandJson } from "@holdfast/core/cloud"
import { Effect, Schema, Stream } from "effect"
import type { CloudGeneration, Opened } from "./CloudGeneration.ts"
import type { CommandFailed } from "./CommandBook.ts"
import type { BundleCarrier } from "./handoff/BundleCarrier.ts"
import { packSandbox } from "./handoff/cloudHandoff.ts"
import type { PullRequests } from "./PullRequests.ts"
import type { SandboxOwner } from "./SandboxOwner.ts"

/** Past its grace an inner backend has this long to end and its last words to arrive; then its sandbox goes all the same. */
const lastWordsMs = 3_000

const isSendable = Schema.is(BackendCommandJson)

/** What an inner backend's abilities become in a sandbox. */
export const cloudCapabilities = (
  inner: Capabilities,
  has: { readonly snapshots: boolean; readonly workspace: boolean }
) => ({
  ...inner,
  // A branch would be in the parent's sandbox, where the session that it is for has no place.
  fork: false,
  reattach: true,
  suspend: inner.resume && has.snapshots,
  workspace: has.workspace
})

/** What a session is made of. */
export interface CloudSessionParts {
  readonly owner: SandboxOwner
  readonly generation: CloudGeneration
  readonly opened: Opened
  readonly snapshots: boolean
  readonly pullRequests: PullRequests
  readonly carrier: BundleCarrier
  /** Somebody reads its events: the session is its own. */
  readonly onRead: () => void
  readonly onDetach: () => void
}

/** Makes the session of an open generation. */
export const makeCloudSession = (parts: CloudSessionParts): BackendSession => {
  const { generation, opened, owner, pullRequests } = parts
  const { name, spec } = generation
  const capabilities = cloudCapabilities(opened.capabilities, {
    snapshots: parts.snapshots,
    workspace: spec.workspace !== undefined
  })

  const refuse = ({ type }: BackendCommand, reason: string, retryable = false) =>
    Effect.fail(new BackendRefused({ backend: name, command: type, reason, retryable }))

  const failed = (command: BackendCommand, { kind, reason, retryable }: CommandFailed) =>
    Effect.suspend((): Effect.Effect<never, BackendRefused | BackendLost> =>
      kind === "lost" && !isOver()
        ? Effect.fail(new BackendLost({ backend: name, reason, retryable }))
        : refuse(command, reason, retryable)
    )

  const isOver = () => generation.isOver() || generation.isEnding()

  const ask = (command: Exclude<BackendCommand, { readonly type: "write" | "watched" }>, seq?: number) =>
    Effect.suspend(() => {
      const link = owner.link()
      if (link === undefined) return refuse(command, "its sandbox is gone")
      // Its sandbox would take it for a breach of the protocol.
      if (!isSendable(command))
        return refuse(command, `it is no valid command: ${JSON.stringify(command).slice(0, 200)}`)
      return link.ask({ do: "perform", command }, seq).pipe(Effect.catch((error) => failed(command, error)))
    })

  /** Ends the inner backend first, so that its last words are told; then the sandbox, whatever became of that. */
  const close = (
    command: Extract<BackendCommand, { readonly type: "close" }>,
    seq?: number
  ): Effect.Effect<Performed> => {
    generation.beginClosing()
    const politely = Effect.andThen(Effect.ignore(ask(command, seq)), generation.ended)
    return Effect.timeoutOption(politely, Math.max(0, command.graceMs) + lastWordsMs).pipe(
      Effect.andThen(Effect.sync(() => owner.feed({ type: "close" }))),
      Effect.as({})
    )
  }

  const perform: BackendSession["perform"] = (command, seq) =>
    Effect.suspend(() => {
      if (command.type === "watched") {
        owner.feed({ type: "watched", people: command.people })
        return Effect.succeed({})
      }
      if (isOver()) return refuse(command, "the session is over")
      owner.stir()
      switch (command.type) {
        case "write": {
          const link = owner.link()
          if (!capabilities.terminal) return refuse(command, "it has no terminal")
          if (link === undefined) return refuse(command, "its sandbox is gone")
          return link.type(command.bytes).pipe(
            Effect.as({}),
            Effect.catch((error) => failed(command, error))
          )
        }
        case "suspend":
          if (!capabilities.suspend) return refuse(command, "it cannot be put to rest")
          owner.feed({ type: "suspend" })
          return Effect.succeed({})
        case "fork":
          return refuse(command, "a session in a sandbox cannot be branched")
        case "close":
          return close(command, seq)
        case "workspace":
          if (spec.workspace === undefined) return refuse(command, "it does not work in a repository")
          return command.action.do === "pullRequest"
            ? pullRequests.open(generation, command.action, ask)
            : ask(command, seq)
        default:
          return ask(command, seq)
      }
    })

  return {
    capabilities,
    ...(opened.nativeId === undefined ? {} : { nativeId: opened.nativeId }),
    ...(opened.version === undefined ? {} : { version: opened.version }),
    ...(opened.arrived === undefined ? {} : { arrived: opened.arrived }),
    ...(opened.size === undefined ? {} : { size: opened.size }),
    ...(opened.taken === undefined ? {} : { taken: opened.taken }),
    events: Stream.suspend(() => {
      parts.onRead()
      return generation.outbox.stream
    }),
    perform,
    pack: (request) => Effect.suspend(() => packSandbox(owner, generation, parts.carrier, request)),
    detach: Effect.sync(parts.onDetach)
  }
}
