/** A host that is killed: opens a session with what its argument says, sends one prompt, and tells of it on its output. */
import { makeSessionId, makeUuid, type PromptId } from "@holdfast/core"
import { Effect, Stream } from "effect"
import { opencodeBackend, type OpencodeBackendOptions } from "../src/index.ts"

const { cwd, options, prompt } = JSON.parse(process.argv[2]!) as {
  readonly options: OpencodeBackendOptions
  readonly cwd: string
  readonly prompt: string
}

await Effect.runPromise(
  Effect.scoped(
    Effect.gen(function* () {
      const backend = opencodeBackend(options)
      const spec = { cwd, title: "Killed" }
      const session = yield* backend.open({ sessionId: makeSessionId(), generation: 1, spec, inDoubt: [] })
      process.stdout.write(`${JSON.stringify({ type: "opened", data: { nativeId: session.nativeId } })}\n`)
      const content = [{ type: "text", text: prompt }] as const
      yield* session.perform({ type: "prompt", promptId: makeUuid() as PromptId, content, delivery: "queue" })
      yield* Stream.runForEach(session.events, (batch) =>
        Effect.sync(() => {
          for (const event of batch) process.stdout.write(`${JSON.stringify(event)}\n`)
        })
      )
    })
  )
)
