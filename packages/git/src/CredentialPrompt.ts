/**
 * Hands credentials to git without their being anywhere but in memory. git's credential helper is a line of shell that talks
 * through a pipe which git inherited from us: no name in the file system leads to it, no other process has it, it is good for
 * one answer, and it is gone with git.
 */
import { Effect, Option } from "effect"
import type { Duplex } from "node:stream"
import type { GitCredentials } from "./CredentialBroker.ts"

/**
 * The helper, as git's `credential.helper` (gitcredentials(7)): with `get` it passes on what git asks, ended by an empty line,
 * and answers what it gets. With `store` and `erase` it does nothing. 3 is the pipe's number in git and in what git starts.
 */
export const credentialHelper = '!f() { test "$1" = get || return 0; { cat; echo; } >&3; cat <&3; }; f'

/** Bytes of a question: git asks in less than one line of 2,000 characters for each of its three fields. */
const maxQuestion = 16_384

/** Milliseconds that the broker has to answer: a minute, in which a broken connection to the host is made again. */
const brokerTimeoutMs = 60_000

/** Why git got no credentials. */
export type NoCredentials = "none" | "late" | "elsewhere" | "unusable"

/** One operation's answer to git's question. */
export interface CredentialPrompt {
  /** Of the repository: what a server redirects to is not told. */
  readonly origin: string
  readonly ask: Effect.Effect<GitCredentials | null>
  /** Takes what was given out of a text: a server may repeat it. */
  readonly redact: (text: string) => string
  /** What became of it, for errors. */
  readonly outcome: () => "not asked" | "given" | NoCredentials
  readonly settle: (outcome: NoCredentials | GitCredentials) => void
}

/** Makes the answer of one operation, which is asked for at most once, however many programs the operation needs. */
export const makeCredentialPrompt = (
  repository: string,
  ask: Effect.Effect<GitCredentials | null>
): Effect.Effect<CredentialPrompt> =>
  Effect.map(Effect.cached(ask), (asked) => {
    let outcome: ReturnType<CredentialPrompt["outcome"]> = "not asked"
    let secrets: ReadonlyArray<string> = []
    return {
      origin: new URL(repository).origin,
      ask: asked,
      redact: (text) => secrets.reduce((rest, secret) => rest.replaceAll(secret, "***"), text),
      outcome: () => outcome,
      settle: (settled) => {
        outcome = typeof settled === "string" ? settled : "given"
        if (typeof settled === "string") return
        const { password, username } = settled
        secrets = [password, Buffer.from(`${username}:${password}`).toString("base64")].filter((text) => text !== "")
      }
    }
  })

/** Answers git's first question, and no other. */
export const answerPrompt = (pipe: Duplex, prompt: CredentialPrompt): Effect.Effect<void> =>
  Effect.gen(function* () {
    const question = yield* readQuestion(pipe)
    if (question === undefined) return
    const answer = yield* answerOf(question, prompt)
    pipe.end(answer)
    // git would wait for an answer that does not come.
  }).pipe(Effect.onError(() => Effect.sync(() => pipe.destroy())))

const readQuestion = (pipe: Duplex): Effect.Effect<string | undefined> =>
  Effect.callback((resume) => {
    let text = ""
    const take = (chunk: string) => {
      text += chunk
      if (text.includes("\n\n") || text.length > maxQuestion) finish(text)
    }
    const finish = (question: string | undefined) => {
      pipe.off("data", take)
      resume(Effect.succeed(question))
    }
    // A pipe breaks with its git, which then says why.
    pipe.on("error", () => finish(undefined))
    pipe.once("end", () => finish(undefined))
    pipe.setEncoding("utf8").on("data", take)
  })

const answerOf = Effect.fnUntraced(function* (question: string, prompt: CredentialPrompt) {
  const refuse = (outcome: NoCredentials) => {
    prompt.settle(outcome)
    return "quit=1\n"
  }
  const fields = new Map(question.split("\n").map((line) => splitAt(line, line.indexOf("="))))
  if (originOf(`${fields.get("protocol")}://${fields.get("host")}`) !== prompt.origin) return refuse("elsewhere")
  const asked = yield* Effect.timeoutOption(prompt.ask, brokerTimeoutMs)
  if (Option.isNone(asked)) return refuse("late")
  const credentials = asked.value
  if (credentials === null) return refuse("none")
  // A line break would begin another field of git's protocol.
  // oxlint-disable-next-line no-control-regex -- NUL is what it looks for
  if (/[\n\r\0]/.test(credentials.username + credentials.password)) return refuse("unusable")
  prompt.settle(credentials)
  return `username=${credentials.username}\npassword=${credentials.password}\n`
})

/** As URLs have it: without the port where that is the scheme's own. */
const originOf = (url: string): string | undefined => (URL.canParse(url) ? new URL(url).origin : undefined)

const splitAt = (line: string, at: number): readonly [string, string] => [line.slice(0, at), line.slice(at + 1)]
