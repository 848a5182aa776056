/** Asks the control plane for credentials, one operation at a time; nothing of the answers is kept. */
import type { BridgeMessage, ControlMessage } from "@holdfast/core/cloud"
import { Deferred, Effect } from "effect"

/** Milliseconds that an answer may take, reconnecting included. */
const answerMs = 60_000

/** Questions that may wait at once. Git asks one after the other; more would be somebody else's. */
const maxWaiting = 32

/** A user and a password; null where the host has none for this. */
export type Credentials = Extract<typeof ControlMessage.Type, { readonly type: "credentials" }>["credentials"]

/** What the credentials are for. */
export type CredentialsFor = Pick<Question, "operation" | "repository">

type Question = Extract<typeof BridgeMessage.Type, { readonly type: "credentials" }>

/** The asking side. */
export interface CredentialAsker {
  /** Null also where nobody answered in time. */
  readonly ask: (wanted: CredentialsFor) => Effect.Effect<Credentials>
  readonly answered: (id: number, credentials: Credentials) => void
  /** What waits for an answer, to be asked again over a new connection. */
  readonly waiting: () => ReadonlyArray<Question>
}

/** Makes an asker. `tell` sends where there is a connection, and does nothing where there is none. */
export const makeCredentialAsker = (tell: (question: Question) => void): CredentialAsker => {
  const open = new Map<number, { readonly question: Question; readonly answer: Deferred.Deferred<Credentials> }>()
  let last = 0
  return {
    ask: (wanted) =>
      Effect.suspend(() => {
        if (open.size >= maxWaiting) return Effect.succeed(null)
        const id = ++last
        const question: Question = { type: "credentials", id, ...wanted }
        const answer = Deferred.makeUnsafe<Credentials>()
        open.set(id, { question, answer })
        tell(question)
        return Deferred.await(answer).pipe(
          Effect.timeoutOrElse({ duration: answerMs, orElse: () => Effect.succeed(null) }),
          Effect.ensuring(Effect.sync(() => open.delete(id)))
        )
      }),
    answered: (id, credentials) => {
      const waiting = open.get(id)
      if (waiting !== undefined) Deferred.doneUnsafe(waiting.answer, Effect.succeed(credentials))
    },
    waiting: () => [...open.values()].map(({ question }) => question)
  }
}
