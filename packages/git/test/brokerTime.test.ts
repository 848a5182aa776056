import { expect, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { prepareWorkspace } from "../src/index.ts"
import { newFolder, optionsOf, serverOfTest } from "./support/workspaces.ts"

it.effect("a broker that does not answer is waited for a minute", () =>
  Effect.gen(function* () {
    const server = yield* Effect.promise(() => serverOfTest({ credentials: { username: "ada", password: "right" } }))
    const repository = yield* Effect.promise(() => server.repository("app"))
    const asked = yield* Deferred.make<void>()
    const { options } = optionsOf(null, {
      credentials: () => Effect.andThen(Deferred.succeed(asked, undefined), Effect.never)
    })
    const preparing = yield* Effect.forkChild(
      Effect.flip(prepareWorkspace(newFolder(), { repository: repository.url }, options))
    )
    yield* Deferred.await(asked)
    yield* TestClock.adjust("61 seconds")
    expect(yield* Fiber.join(preparing)).toMatchObject({ failure: "timeout", retryable: true })
  })
)
