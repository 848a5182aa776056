import { ClientError, connect, HoldfastClient } from "@holdfast/client/effect"
import type { PlainServer } from "@holdfast/server"
import { Effect, Fiber, Stream } from "effect"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { openServer, secret, tokenFor } from "./ServedClient.ts"

let server: PlainServer

beforeAll(async () => {
  server = await openServer({ auth: { kind: "secret", secret } })
})
afterAll(() => server.close())

const options = () => ({ url: server.url, token: Effect.promise(() => tokenFor("ada", 600)) })

describe("the client with Effect", () => {
  it("is a service whose calls, views and events are effects and streams, closed with its scope", async () => {
    const program = Effect.gen(function* () {
      const client = yield* HoldfastClient
      yield* Stream.runHead(Stream.filter(client.connection.changes, ({ phase }) => phase === "connected"))
      assert.strictEqual((yield* client.connection.current).you?.participantId, "ada")
      const list = yield* client.sessions()
      const session = yield* client.create({ backend: "agent", spec: {}, title: "with Effect" })
      const view = yield* session.view()
      yield* session.prompt("hello")
      yield* view.changes.pipe(
        Stream.filter(({ state }) => state?.lastTurnId != null && state.turn === null),
        Stream.runHead
      )
      yield* view.loadOlder
      const events = yield* session.events(0).pipe(
        Stream.takeUntil((page) => page.answer === "caught-up"),
        Stream.runCollect
      )
      assert.strictEqual(events.at(-1)?.answer, "caught-up")
      yield* Stream.runHead(Stream.filter(list.changes, ({ sessions }) => sessions.length === 1))
      const branch = yield* session.fork({ title: "branch" })
      assert.notStrictEqual(branch.sessionId, session.sessionId)
      assert.strictEqual((yield* session.get()).summary.title, "with Effect")
      assert.strictEqual((yield* session.workspace({ do: "branches" })).done, "branches")
      const refused = yield* Effect.flip(session.workspace({ do: "push" }))
      assert.strictEqual(refused.problem.kind, "unsupported")
    })
    await Effect.runPromise(Effect.scoped(Effect.provide(program, HoldfastClient.layer(options()))))
    for (let look = 0; server.connections() > 0 && look < 1_000; look++) {
      await new Promise((resolve) => setImmediate(resolve))
    }
    assert.strictEqual(server.connections(), 0)
  })

  it("gives a terminal as one stream of what happens to it", async () => {
    const program = Effect.gen(function* () {
      const client = yield* connect(options())
      const session = yield* client.create({
        backend: "pty",
        spec: { profile: "command", command: "sh", args: ["-c", "stty raw -echo; printf ready; head -c2; exit 3"] }
      })
      const terminal = yield* session.terminal()
      let text = ""
      const happened: Array<string> = []
      yield* terminal.happenings.pipe(
        Stream.tap((happening) => {
          happened.push(happening.kind)
          if (happening.kind === "reset") text += new TextDecoder().decode(happening.screen.ansi)
          if (happening.kind === "data") text += new TextDecoder().decode(happening.bytes)
          const isReady = text.includes("ready") && !happened.includes("typed")
          if (isReady) happened.push("typed")
          return isReady ? terminal.write("ok") : Effect.void
        }),
        Stream.takeUntil(({ kind }) => kind === "exited"),
        Stream.runDrain
      )
      assert.strictEqual(happened[0], "reset")
      assert.include(text, "ok")
    })
    await Effect.runPromise(Effect.scoped(program))
  })

  it("fails with typed errors, and interrupts what waits", async () => {
    const program = Effect.gen(function* () {
      const client = yield* connect(options())
      const nowhere = yield* Effect.flip(client.session("nowhere"))
      assert.strictEqual(nowhere.problem.kind, "invalid")
      const missing = yield* client.session("019a0b1c-2d3e-7f40-8a1b-2c3d4e5f6071")
      const error = yield* Effect.flip(missing.archive())
      assert.instanceOf(error, ClientError)
      const handled = yield* Effect.catchTag(missing.get(), "ClientError", ({ problem }) =>
        Effect.succeed(problem.kind)
      )
      assert.strictEqual(handled, "not_found")
      const session = yield* client.create({ backend: "agent", spec: {} })
      const following = yield* Effect.forkChild(Stream.runDrain(session.events(0)), { startImmediately: true })
      yield* session.rename("meanwhile")
      yield* Fiber.interrupt(following)
    })
    await Effect.runPromise(Effect.scoped(program))
    const wrong = await Effect.runPromise(Effect.flip(Effect.scoped(connect({ url: "ftp://example.org" }))))
    assert.strictEqual(wrong.problem.field, "url")
  })
})
