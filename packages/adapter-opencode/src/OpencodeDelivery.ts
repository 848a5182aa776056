/** Gets a prompt to the server exactly once, though a connection may break at any moment and the server says yes before it looks. */
import type { PromptId } from "@holdfast/core"
import { Effect, FiberSet, Schema, type Scope } from "effect"
import type { OpencodeClient, OpencodeError } from "./OpencodeClient.ts"
import type { OpencodeFeed } from "./OpencodeFeed.ts"
import type { OpencodeNormaliser } from "./OpencodeNormaliser.ts"

/** A message that was taken is stored within milliseconds; after this long it is looked for. */
const storedDeadlineMs = 5_000

/** How often a message whose arrival is unknown is looked for, and the wait between. */
const lookUps = 3
const lookUpWaitMs = 250

/** Sending a prompt again, once, after it was found not to have arrived. */
const maxSends = 2

/** What delivers. */
export interface OpencodeDelivery {
  /** Sends a prompt as a message. It fails with `unreachable` or `deadline` only where it is unknown whether it arrived. */
  readonly send: (promptId: PromptId, messageId: string, body: unknown) => Effect.Effect<void, OpencodeError>
  /** Whether a prompt was sent whose message has not been seen. */
  readonly isWaiting: () => boolean
  /** Whether the server has a message. */
  readonly hasMessage: (messageId: string) => Effect.Effect<boolean, OpencodeError>
}

/** What it needs. */
export interface OpencodeDeliveryParts {
  readonly client: OpencodeClient
  readonly feed: OpencodeFeed
  readonly normaliser: OpencodeNormaliser
  /** Of the session: `/session/ses_…`. */
  readonly path: string
}

/** Makes it, for one session. */
export const makeOpencodeDelivery = Effect.fnUntraced(function* ({
  client,
  feed,
  normaliser,
  path
}: OpencodeDeliveryParts): Effect.fn.Return<OpencodeDelivery, never, Scope.Scope> {
  const fork = yield* FiberSet.makeRuntime()
  const onTheirWay = new Set<string>()

  const hasMessage = (messageId: string, tries = lookUps): Effect.Effect<boolean, OpencodeError> =>
    client.get(`${path}/message/${messageId}`, Schema.Unknown).pipe(
      Effect.as(true),
      Effect.catch((error) => {
        if (error.reason === "not found") return Effect.succeed(false)
        return tries <= 1
          ? Effect.fail(error)
          : Effect.andThen(Effect.sleep(lookUpWaitMs), hasMessage(messageId, tries - 1))
      })
    )

  /** A message id is no idempotency key: a second copy would be added to the first. So it is looked for before it is sent again. */
  const deliver = (messageId: string, body: unknown, sends: number): Effect.Effect<void, OpencodeError> =>
    client.send("POST", `${path}/prompt_async`, Schema.Unknown, { body }).pipe(
      Effect.asVoid,
      Effect.catch((error) => {
        if (error.reason !== "unreachable" && error.reason !== "deadline") return Effect.fail(error)
        return Effect.flatMap(hasMessage(messageId), (arrived) => {
          if (arrived) return Effect.void
          return sends < maxSends ? deliver(messageId, body, sends + 1) : Effect.fail(error)
        })
      })
    )

  /** The server takes a prompt before it looks at it, and may then drop it without a word that names it. */
  const watch = (messageId: string) =>
    Effect.gen(function* () {
      const seen = Effect.as(
        feed.until(() => feed.hasSeen(messageId)),
        true
      )
      if (yield* Effect.raceFirst(seen, Effect.as(Effect.sleep(storedDeadlineMs), false))) return
      if (yield* hasMessage(messageId)) return yield* Effect.asVoid(feed.look({ missed: true }))
      const message = "Opencode took the prompt, and then did not run it"
      feed.tell(normaliser.failPrompt(messageId, { message, code: "not_run", retryable: true }))
    }).pipe(Effect.ignore, Effect.ensuring(Effect.sync(() => onTheirWay.delete(messageId))))

  return {
    send: (promptId, messageId, body) =>
      Effect.suspend(() => {
        normaliser.expectPrompt(promptId, messageId)
        onTheirWay.add(messageId)
        return Effect.onError(feed.inOrder(deliver(messageId, body, 1)), () =>
          Effect.sync(() => {
            onTheirWay.delete(messageId)
            normaliser.forgetPrompt(messageId)
          })
        )
      }).pipe(Effect.tap(() => Effect.sync(() => fork(watch(messageId))))),
    isWaiting: () => {
      for (const messageId of onTheirWay) if (feed.hasSeen(messageId)) onTheirWay.delete(messageId)
      return onTheirWay.size > 0
    },
    hasMessage: (messageId) => hasMessage(messageId)
  }
})
