import { makeSessionId, type Present, type Role } from "@holdfast/core"
import { describe, expect, it } from "vitest"
import { makePresence, maxPresent, type PresenceMember, typingMs } from "../../src/live/Presence.ts"
import { withLiveServer } from "./LiveServer.ts"

const sessionId = makeSessionId()

/** A connection of somebody, and what it was shown. */
const member = (participantId: string, role: Role = "member") => {
  const shown: Array<ReadonlyArray<Present>> = []
  const one: PresenceMember = {
    identity: { participantId, name: participantId, role, organisation: null, sessionId: null, expiresAt: null },
    showPresent: (_, message) => void shown.push(JSON.parse(message).present)
  }
  return { one, shown, last: () => shown.at(-1)!.map((each) => `${each.participantId}${each.typing ? " types" : ""}`) }
}

describe("presence", () => {
  it("shows the list to who comes at once, and changes to the others joined", () => {
    const presence = makePresence()
    const [ada, bea, cleo] = [member("ada"), member("bea"), member("cleo")]
    for (const { one } of [ada, bea, cleo]) presence.enter(sessionId, one)
    expect(cleo.last()).toEqual(["ada", "bea", "cleo"])
    expect(ada.shown).toHaveLength(1)
    presence.tick(0)
    expect(ada.shown).toHaveLength(2)
    expect(ada.last()).toEqual(["ada", "bea", "cleo"])
    presence.tick(250)
    expect(ada.shown).toHaveLength(2)
  })

  it("counts several connections of one person, and several subscriptions of one connection, as one", () => {
    const presence = makePresence()
    const [ada, phone, bea] = [member("ada"), member("ada"), member("bea")]
    for (const { one } of [ada, phone, bea, bea]) presence.enter(sessionId, one)
    presence.type(sessionId, phone.one, true, 0)
    presence.tick(0)
    expect(bea.last()).toEqual(["ada types", "bea"])
    presence.leave(sessionId, phone.one)
    presence.leave(sessionId, bea.one)
    presence.tick(1)
    expect(ada.last()).toEqual(["ada", "bea"])
    presence.leave(sessionId, bea.one)
    presence.tick(2)
    expect(ada.last()).toEqual(["ada"])
    presence.leave(sessionId, ada.one)
    expect(presence.rooms()).toBe(0)
  })

  it("ends typing by itself, unless it is said again", () => {
    const presence = makePresence()
    const [ada, bea] = [member("ada"), member("bea")]
    for (const { one } of [ada, bea]) presence.enter(sessionId, one)
    presence.type(sessionId, ada.one, true, 0)
    presence.tick(0)
    presence.type(sessionId, ada.one, true, 3_000)
    presence.tick(typingMs)
    expect(bea.last()).toEqual(["ada types", "bea"])
    presence.tick(3_000 + typingMs)
    expect(bea.last()).toEqual(["ada", "bea"])
    const told = bea.shown.length
    presence.tick(60_000)
    expect(bea.shown).toHaveLength(told)
  })

  it("takes no word from who does not have the session open", () => {
    const presence = makePresence()
    const [ada, stranger] = [member("ada"), member("eve")]
    presence.enter(sessionId, ada.one)
    presence.type(sessionId, stranger.one, true, 0)
    presence.leave(sessionId, stranger.one)
    presence.tick(0)
    expect(ada.last()).toEqual(["ada"])
  })

  it("tells of at most so many people, of those who type first", () => {
    const presence = makePresence()
    const crowd = Array.from({ length: maxPresent + 50 }, (_, index) => member(`p${index}`))
    for (const { one } of crowd) presence.enter(sessionId, one)
    presence.type(sessionId, crowd.at(-1)!.one, true, 0)
    presence.tick(0)
    expect(crowd[0]!.last()).toHaveLength(maxPresent)
    expect(crowd[0]!.last()[0]).toBe(`p${maxPresent + 49} types`)
  })

  it("is told on live connections while a session is open there, and no longer", () =>
    withLiveServer(async ({ agent, connect }) => {
      const session = await agent()
      const ada = await connect()
      const bea = await connect({ sub: "bea", name: "Bea", roles: ["viewer"] })
      ada.subscribe(1, session)
      await ada.message("presence")
      bea.subscribe(1, session)
      await ada.message("presence", ({ present }) =>
        present.some(({ name, role }) => name === "Bea" && role === "viewer")
      )
      bea.send({ type: "typing", sessionId: session, typing: true })
      await ada.message("presence", ({ present }) => present.some(({ name, typing }) => name === "Bea" && typing))
      bea.send({ type: "unsubscribe", subscription: 1 })
      const told = ada.messages.length
      await ada.until(() =>
        ada.messages.slice(told).some((message) => message.type === "presence" && message.present.length === 1)
      )
    }))
})
