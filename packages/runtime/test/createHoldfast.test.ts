import { CommandRejected, EventLog, layerMemory, LogUnavailable, makeSessionId } from "@holdfast/core"
import { abortable, createHoldfast, createSessionReader } from "@holdfast/runtime"
import { Effect, Layer } from "effect"
import { describe, expect, it } from "vitest"
import { agent, isClosed, isIdle, isOpen, prompt } from "./fixtures.ts"

describe("the plain face", () => {
  it("does with promises and async iterables what the Effect face does", async () => {
    await using holdfast = await createHoldfast({ store: layerMemory, backends: [agent()] })
    const { sessionId } = await holdfast.create({ backend: "agent", spec: {}, title: "plain" })
    await holdfast.until(sessionId, isOpen)
    await holdfast.command(sessionId, prompt("hello"))
    await holdfast.until(sessionId, (state) => isIdle(state) && state.lastTurnId !== null)
    await holdfast.command(sessionId, { type: "session.close", data: {} })
    await holdfast.until(sessionId, isClosed)
    const types: Array<string> = []
    for await (const page of holdfast.follow(sessionId, 0)) {
      if (page.answer === "caught-up") break
      if (page.answer !== "gap") types.push(...page.events.map(({ type }) => type))
    }
    expect(types.at(-1)).toBe("backend.closed")
    const titles: Array<string> = []
    for await (const item of holdfast.followList()) {
      if (item.kind === "changed") titles.push(...item.sessions.map(({ title }) => title))
      if (item.kind === "caught-up") break
    }
    expect(titles).toEqual(["plain"])
    expect((await holdfast.stats()).sessions).toBe(1)
  })

  it("rejects with the typed errors themselves", async () => {
    await using holdfast = await createHoldfast({ store: layerMemory, backends: [agent()] })
    await expect(holdfast.create({ backend: "nope", spec: {} })).rejects.toBeInstanceOf(CommandRejected)
    await expect(holdfast.summary(makeSessionId())).rejects.toMatchObject({ _tag: "SessionNotFound" })
  })

  it("rejects where the store cannot be opened, and says why", async () => {
    const broken = Layer.effect(
      EventLog,
      Effect.fail(new LogUnavailable({ operation: "open", reason: "damaged", detail: "restore it from a backup" }))
    )
    await expect(createHoldfast({ store: broken, backends: [] })).rejects.toThrow("restore it from a backup")
    await expect(createSessionReader({ store: broken })).rejects.toMatchObject({ reason: "damaged" })
  })

  it("ends an iteration by a signal, also while it waits", async () => {
    await using holdfast = await createHoldfast({ store: layerMemory, backends: [agent()] })
    const { sessionId } = await holdfast.create({ backend: "agent", spec: {} })
    const abort = new AbortController()
    for await (const page of abortable(holdfast.follow(sessionId, 0), abort.signal)) {
      if (page.answer === "caught-up") abort.abort()
    }
    expect(abort.signal.aborted).toBe(true)
  })

  it("says that it was closed when it is used afterwards", async () => {
    const holdfast = await createHoldfast({ store: layerMemory, backends: [agent()] })
    await holdfast.close()
    await holdfast.close()
    await expect(holdfast.list()).rejects.toThrow("was closed")
  })
})
