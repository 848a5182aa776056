import { creation, everyCapability, makeSimulatedSession, numberedId, playStep } from "@holdfast/testkit"
import { assert, describe, it } from "@effect/vitest"
import type { Capabilities } from "../src/Capabilities.ts"
import type { CommandBody, CommandRejected, CommandType } from "../src/Command.ts"
import type { Role } from "../src/Content.ts"
import { decide } from "../src/decide.ts"
import type {
  ArtifactId,
  CommandId,
  ItemId,
  ParticipantId,
  PromptId,
  RequestId,
  SessionId,
  TurnId
} from "../src/Ids.ts"
import { defaultPolicy } from "../src/SessionPolicy.ts"
import { emptyState, type SessionState, stateBounds } from "../src/SessionState.ts"

const content = [{ type: "text", text: "Hi" }] as const
const participantId = (id: string): ParticipantId => id as ParticipantId
const turnId = (id: string): TurnId => id as TurnId
const requestId = (id: string): RequestId => id as RequestId
const promptId = (id: string): PromptId => id as PromptId
const artifact = { artifactId: "a1" as ArtifactId, artifact: { kind: "url", title: "Build" } } as const

/** One well-formed command of each type. */
const bodies: { readonly [T in CommandType]: CommandBody<T>["data"] } = {
  "session.create": { backend: "scripted", spec: {} },
  "session.open": {},
  "session.rename": { title: "Other" },
  "session.archive": {},
  "session.unarchive": {},
  "session.fork": { into: numberedId(7) as SessionId },
  "session.move": { backend: "other", spec: {}, generation: 1, lastTurnId: null },
  "session.suspend": {},
  "session.close": {},
  "prompt.send": { content },
  "prompt.edit": { promptId: promptId("p"), content },
  "prompt.withdraw": { promptId: promptId("p") },
  "turn.interrupt": {},
  "permission.resolve": { requestId: requestId("r"), outcome: { outcome: "cancelled" } },
  "question.answer": { requestId: requestId("r"), outcome: { outcome: "cancelled" } },
  "request.expire": { requestId: requestId("r") },
  "context.compact": {},
  "history.revert": { turnId: turnId("t") },
  "history.restore": {},
  "item.stop": { itemId: "i" as ItemId },
  "backend.configure": { model: "m" },
  "participant.join": { participantId: participantId("zoe"), name: "Zoe", role: "viewer" },
  "participant.change": { participantId: participantId("owner"), name: "O" },
  "participant.leave": { participantId: participantId("owner") },
  "terminal.write": { bytes: Uint8Array.of(65) },
  "terminal.resize": { cols: 80, rows: 24 },
  "process.signal": { signal: "SIGINT" },
  "artifact.add": artifact,
  "artifact.update": artifact
}
const types = Object.keys(bodies) as ReadonlyArray<CommandType>
const bodyOf = (type: CommandType): CommandBody => ({ type, data: bodies[type] }) as CommandBody

const roles: ReadonlyArray<Role> = ["viewer", "member", "owner"]

/** What only an owner may do; a viewer may do nothing but leave, and a member all the rest. */
const ownersOnly: ReadonlyArray<CommandType> = [
  "session.archive",
  "session.unarchive",
  "session.move",
  "session.suspend",
  "session.close",
  "participant.join",
  "participant.change"
]
const neededFor = (type: CommandType): Role => {
  if (type === "participant.leave") return "viewer"
  return ownersOnly.includes(type) ? "owner" : "member"
}

/** A session with one participant of each role, named after it, and one who has left. */
const started = (capabilities: Capabilities = everyCapability) => {
  const session = makeSimulatedSession({ capabilities })
  session.command(creation)
  for (const role of [...roles, "gone"]) {
    const data = { participantId: participantId(role), name: role, role: role === "gone" ? "owner" : (role as Role) }
    session.command({ type: "participant.join", data })
  }
  session.command({ type: "participant.leave", data: { participantId: participantId("gone") } })
  return session
}

const open = (capabilities: Capabilities = everyCapability) => {
  const session = started(capabilities)
  session.tell([{ type: "backend.opened", data: { capabilities, nativeId: "native" } }])
  return session
}

type Session = ReturnType<typeof open>

/** A session in each state of its lifecycle, by name. */
const states: { readonly [name: string]: () => Session } = {
  opening: started,
  open,
  "in a turn": () => {
    const session = open()
    session.tell([{ type: "turn.started", data: { turnId: turnId("t1") } }])
    return session
  },
  suspending: () => after(open(), { type: "session.suspend", data: {} }),
  suspended: () => {
    const session = after(open(), { type: "session.suspend", data: {} })
    session.tell([{ type: "backend.suspended", data: { reason: "asked for" } }])
    return session
  },
  lost: () => {
    const session = open()
    session.tell([{ type: "backend.lost", data: { reason: "gone", retryable: true } }])
    return session
  },
  closing: () => after(open(), { type: "session.close", data: {} }),
  closed: () => {
    const session = open()
    session.tell([{ type: "backend.closed", data: { reason: "exited" } }])
    return session
  },
  failed: () => {
    const session = started()
    session.tell([{ type: "backend.failed", data: { reason: "x", message: "it broke", retryable: false } }])
    return session
  }
}

const after = (session: Session, body: CommandBody): Session => {
  assert.isTrue(session.command(body).accepted)
  return session
}

const rejected = (session: Session, body: CommandBody, actor = "host"): CommandRejected => {
  const decision = session.command(body, actor)
  if (decision.accepted) assert.fail(`${body.type} was accepted`)
  return decision.rejection
}

const says = (session: Session, body: CommandBody, expected: Partial<CommandRejected>, actor?: string) => {
  const { reason, detail, field } = rejected(session, body, actor)
  assert.deepInclude({ reason, detail, field }, expected as object)
}

describe("A role", () => {
  for (const [name, make] of Object.entries(states)) {
    it(`allows what it allows and nothing else, whoever asks for what, while the session is ${name}`, () => {
      const rank = (role: Role) => roles.indexOf(role)
      for (const type of types) {
        if (type === "session.create" || type === "request.expire") continue
        for (const role of roles) {
          const decision = make().command(bodyOf(type), role)
          const forbidden = !decision.accepted && decision.rejection.reason === "forbidden"
          const leavesOther = type === "participant.leave" && role !== "owner"
          assert.strictEqual(
            forbidden,
            rank(role) < rank(neededFor(type)) || leavesOther,
            `${type} by a ${role} while ${name}`
          )
        }
        for (const stranger of ["gone", "nobody", "__proto__", "constructor"]) {
          assert.deepInclude(rejected(make(), bodyOf(type), stranger), { reason: "forbidden" }, type)
        }
        const byHost = make().command(bodyOf(type))
        assert.isTrue(byHost.accepted || byHost.rejection.reason !== "forbidden", type)
      }
    })
  }

  it("says which one is needed", () => {
    const session = open()
    says(
      session,
      bodyOf("prompt.send"),
      { detail: "viewer is a viewer of this session, and this needs a member" },
      "viewer"
    )
    says(
      session,
      bodyOf("session.close"),
      { detail: "member is a member of this session, and this needs an owner" },
      "member"
    )
    says(
      session,
      bodyOf("prompt.send"),
      { detail: "gone does not take part in this session: let an owner add them" },
      "gone"
    )
    says(session, bodyOf("participant.leave"), { detail: "only an owner can make somebody else leave" }, "viewer")
  })

  it("lets everybody leave, and nobody else but the runtime expire a request", () => {
    const session = open()
    assert.isTrue(
      session.command({ type: "participant.leave", data: { participantId: participantId("viewer") } }, "viewer")
        .accepted
    )
    for (const actor of ["host", "owner"]) {
      says(session, bodyOf("request.expire"), { detail: "only the runtime lets a request expire" }, actor)
    }
  })
})

describe("A session", () => {
  it("is created once, opens at once, and is not there before", () => {
    const command = {
      sessionId: numberedId(9) as SessionId,
      commandId: numberedId(1) as CommandId,
      actor: "host",
      at: 1
    }
    const context = { policy: defaultPolicy, capabilities: everyCapability }
    for (const type of types) {
      const decision = decide(emptyState(command.sessionId), { ...command, ...bodyOf(type) } as never, context)
      if (type === "session.create") {
        assert.deepStrictEqual(decision.accepted && decision.events.map((event) => event.type), [
          "session.created",
          "backend.opening"
        ])
      } else if (type !== "request.expire") {
        assert.deepInclude(decision.accepted ? {} : decision.rejection, {
          reason: "illegal_state",
          detail: "this session does not exist: create it first"
        })
      }
    }
    says(open(), creation, { reason: "illegal_state", detail: "this session exists already: take a new session id" })
  })

  it("has its creator's owner from the start", () => {
    const session = makeSimulatedSession()
    session.command({
      ...creation,
      data: { ...creation.data, owner: { participantId: participantId("ada"), name: "Ada" } }
    })
    assert.deepStrictEqual(session.state().participants, { ada: { name: "Ada", role: "owner", present: true } })
    assert.isTrue(session.command(bodyOf("session.archive"), "ada").accepted)
  })

  it("is opened again after it ended, was lost or rests, and resumes what it had", () => {
    for (const name of ["suspended", "lost", "closed"]) {
      const session = states[name]!()
      const before = session.records().length
      session.command(bodyOf("session.open"))
      assert.deepStrictEqual(session.records()[before]!.data, { attempt: 1, resume: true })
    }
    for (const name of ["opening", "open", "closing"]) {
      says(states[name]!(), bodyOf("session.open"), { detail: `the session is ${name} already` })
    }
  })

  it("closes politely, then by force; where no backend is there it is closed at once", () => {
    const session = states["closing"]!()
    says(session, bodyOf("session.close"), { detail: "the session is closing already: force it if it takes too long" })
    after(session, { type: "session.close", data: { force: true } })
    assert.deepStrictEqual(session.records().at(-1)!.data, { reason: "closed", force: true, graceMs: 0 })
    for (const name of ["suspended", "lost"]) {
      assert.strictEqual(after(states[name]!(), bodyOf("session.close")).state().chart.lifecycle, "closed")
    }
    for (const name of ["closed", "failed"]) {
      says(states[name]!(), bodyOf("session.close"), { detail: `the session has ended already (${name})` })
    }
  })

  it("gives back a prompt in doubt when it is closed while it is lost", () => {
    const session = open()
    session.command(bodyOf("prompt.send"))
    session.tell([{ type: "backend.lost", data: { reason: "gone", retryable: true } }])
    after(session, bodyOf("session.close"))
    assert.isNull(session.state().prompts[0]!.dispatchedAt)
  })

  it("is archived and taken back once each", () => {
    const session = open()
    says(session, bodyOf("session.unarchive"), { detail: "the session is not archived" })
    after(session, bodyOf("session.archive"))
    says(session, bodyOf("session.archive"), { detail: "the session is archived already" })
    assert.isFalse(after(session, bodyOf("session.unarchive")).state().archived)
  })

  it("moves to another backend between turns: that one opens it, and what the one before still says is not heard", () => {
    const session = open()
    const { generation, lastTurnId } = session.state()
    const data = { backend: "other", spec: { cwd: "/there" }, generation, lastTurnId, nativeId: "n2" }
    session.tell([{ type: "sandbox.pending", data: { provider: "docker" }, origin: 7 }])
    const moved = after(session, { type: "session.move", data }).state()
    assert.deepInclude(moved, { backend: "other", spec: { cwd: "/there" }, nativeId: "n2", capabilities: null })
    // Another sandbox counts what it tells from the beginning.
    assert.deepInclude(moved, { generation: generation + 1, sandbox: null, mirrored: 0, end: null })
    assert.deepInclude(moved.chart, { lifecycle: "opening", sandbox: "none" })
    const types = session.records().map(({ type }) => type)
    assert.deepStrictEqual(types.slice(-2), ["session.moved", "backend.opening"])
    assert.deepInclude(session.records().at(-1)!.data, { resume: true, attempt: 1 })
  })

  it("is not moved in the middle of a turn, nor where it went on after it was packed", () => {
    const move = (data: object): CommandBody<"session.move"> => ({
      type: "session.move",
      data: { backend: "other", spec: {}, generation: 1, lastTurnId: null, ...data }
    })
    const began = "a turn began while it was being moved: try again"
    says(states["in a turn"]!(), move({ lastTurnId: "t1" }), { reason: "illegal_state", detail: began })
    says(open(), move({ lastTurnId: "t1" }), { reason: "illegal_state", detail: began })
    const again = "it was opened again while it was being moved: try again"
    says(open(), move({ generation: 2 }), { reason: "illegal_state", detail: again })
    says(states["closing"]!(), move({}), { reason: "illegal_state", detail: "the session is closing" })
  })

  it("forks up to a point that it has reached, and into another session", () => {
    const session = open()
    const head = session.state().seq
    says(
      session,
      { type: "session.fork", data: { into: numberedId(7) as SessionId, at: head + 1 } },
      { reason: "invalid", field: "data.at", detail: `the session's last event is ${head}` }
    )
    says(
      session,
      { type: "session.fork", data: { into: session.state().sessionId } },
      { reason: "invalid", field: "data.into" }
    )
    assert.deepInclude(after(session, bodyOf("session.fork")).records().at(-1)!.data, { at: head })
  })

  it("is not suspended in the middle of a turn", () => {
    says(states["in a turn"]!(), bodyOf("session.suspend"), {
      detail: "a turn is running: interrupt it or wait for its end"
    })
    says(states["opening"]!(), bodyOf("session.suspend"), { detail: "the session is opening: wait until it is open" })
  })
})

describe("A backend", () => {
  it("is not asked for what it cannot do, and the rejection says what that is", () => {
    const cannot: ReadonlyArray<readonly [CommandType, keyof Capabilities, string]> = [
      ["session.suspend", "suspend", "be suspended"],
      ["prompt.send", "prompts", "take prompts: write to its terminal instead"],
      ["turn.interrupt", "interrupt", "be interrupted"],
      ["backend.configure", "configure", "be configured"],
      ["context.compact", "compact", "compact its context"],
      ["history.revert", "revert", "take turns back"],
      ["history.restore", "revert", "take turns back"],
      ["item.stop", "stopItems", "stop a single tool call: interrupt the turn"],
      ["terminal.write", "terminal", "be typed into: it has no terminal"],
      ["terminal.resize", "terminal", "be resized: it has no terminal"],
      ["process.signal", "signals", "be sent signals"]
    ]
    for (const [type, capability, what] of cannot) {
      const session = open({ ...everyCapability, [capability]: false })
      says(session, bodyOf(type), { reason: "unsupported", detail: `the scripted backend cannot ${what}` })
    }
  })

  it("changes what the agent knows between turns only", () => {
    for (const type of ["context.compact", "history.revert", "history.restore"] as const) {
      says(states["in a turn"]!(), bodyOf(type), {
        reason: "illegal_state",
        detail: "a turn is running: interrupt it or wait for its end"
      })
      says(states["closed"]!(), bodyOf(type), { detail: "the session is closed, not open" })
      const asked = { "context.compact": "context.compacting", "history.revert": "history.reverting" } as const
      const session = after(open(), bodyOf(type))
      assert.strictEqual(session.records().at(-1)!.type, type === "history.restore" ? "history.restoring" : asked[type])
    }
  })

  it("is asked to stop a tool call that runs, and nothing else", () => {
    const session = open()
    session.tell([
      { type: "item.started", data: { itemId: "i" as ItemId, kind: "tool_call" } },
      { type: "item.started", data: { itemId: "m" as ItemId, kind: "message" } }
    ])
    for (const itemId of ["other" as ItemId, "m" as ItemId]) {
      says(session, { type: "item.stop", data: { itemId } }, { reason: "not_found", field: "data.itemId" })
    }
    assert.deepInclude(after(session, bodyOf("item.stop")).records().at(-1), {
      type: "item.stopping",
      data: { itemId: "i" }
    })
  })

  it("is only written to, resized, signalled and configured while it is open", () => {
    for (const type of ["terminal.write", "terminal.resize", "process.signal", "backend.configure"] as const) {
      assert.isTrue(open().command(bodyOf(type)).accepted)
      says(states["opening"]!(), bodyOf(type), { detail: "the session is opening: wait until it is open" })
      says(states["closed"]!(), bodyOf(type), { detail: "the session is closed, not open" })
    }
  })
})

describe("A prompt", () => {
  const steer = (turn?: string): CommandBody => ({
    type: "prompt.send",
    data: { content, delivery: "steer", ...(turn === undefined ? {} : { turnId: turnId(turn) }) }
  })

  it("that steers names the turn that runs", () => {
    says(states["in a turn"]!(), steer(), {
      reason: "invalid",
      field: "data.turnId",
      detail: "name the turn that you mean"
    })
    says(states["in a turn"]!(), steer("t9"), {
      reason: "not_found",
      field: "data.turnId",
      detail: "the running turn is t1: queue the prompt or name that turn"
    })
    says(open(), steer("t1"), { detail: "no turn is running: queue the prompt or name that turn" })
    says(open({ ...everyCapability, steer: false }), steer("t1"), {
      reason: "unsupported",
      detail: "the scripted backend cannot be steered: queue the prompt"
    })
    assert.isTrue(states["in a turn"]!().command(steer("t1")).accepted)
  })

  it("wakes a session that rests or has ended, where it can be resumed", () => {
    for (const name of ["suspended", "closed"]) {
      assert.strictEqual(after(states[name]!(), bodyOf("prompt.send")).state().chart.lifecycle, "opening")
    }
    says(states["failed"]!(), bodyOf("prompt.send"), {
      detail: "the session is failed and cannot be resumed: start a new one or fork it"
    })
    says(states["closing"]!(), bodyOf("prompt.send"), { detail: "the session is closing" })
  })

  it("is edited and withdrawn while it waits, and not once it is on its way", () => {
    const session = states["in a turn"]!()
    const waiting = promptId(session.nextCommandId())
    after(session, bodyOf("prompt.send"))
    after(session, { type: "prompt.edit", data: { promptId: waiting, content: [{ type: "text", text: "New" }] } })
    assert.deepStrictEqual(session.state().prompts[0]!.content, [{ type: "text", text: "New" }])
    session.tell([{ type: "turn.completed", data: { turnId: turnId("t1"), outcome: "completed" } }])
    for (const type of ["prompt.edit", "prompt.withdraw"] as const) {
      says(session, { type, data: { promptId: waiting, content } } as CommandBody, {
        reason: "illegal_state",
        field: "data.promptId",
        detail: "the prompt is on its way to the backend already"
      })
      says(session, bodyOf(type), {
        reason: "not_found",
        field: "data.promptId",
        detail: "no such prompt waits: it was delivered or withdrawn"
      })
    }
  })

  it("is refused once too many wait", () => {
    const session = states["in a turn"]!()
    for (let n = 0; n < stateBounds.prompts; n++) after(session, bodyOf("prompt.send"))
    says(session, bodyOf("prompt.send"), {
      reason: "busy",
      detail: "100 prompts are waiting already: withdraw some or wait"
    })
  })
})

describe("A turn", () => {
  it("is interrupted once, and only the one that is meant", () => {
    const session = states["in a turn"]!()
    says(
      session,
      { type: "turn.interrupt", data: { turnId: turnId("t9") } },
      { reason: "not_found", field: "data.turnId", detail: "the running turn is t1" }
    )
    after(session, bodyOf("turn.interrupt"))
    says(session, bodyOf("turn.interrupt"), { detail: "the turn is being interrupted already" })
    says(open(), bodyOf("turn.interrupt"), { detail: "no turn is running" })
  })
})

describe("A request", () => {
  const asking = (): Session => {
    const session = open()
    session.tell([
      {
        type: "permission.requested",
        data: {
          requestId: requestId("r"),
          title: "?",
          options: [{ optionId: "yes", name: "Yes", kind: "allow_once" }],
          default: { outcome: "selected", optionId: "yes" }
        }
      },
      { type: "question.asked", data: { requestId: requestId("q"), questions: [] } }
    ])
    return session
  }
  const resolve = (id: string, optionId: string): CommandBody => ({
    type: "permission.resolve",
    data: { requestId: requestId(id), outcome: { outcome: "selected", optionId } }
  })

  it("is answered with one of its options, once, and a question is not a permission", () => {
    const session = asking()
    says(session, resolve("r", "maybe"), {
      reason: "invalid",
      field: "data.outcome.optionId",
      detail: "the options are yes"
    })
    after(session, resolve("r", "yes"))
    const twice = { reason: "not_found", field: "data.requestId" } as const
    says(session, resolve("r", "yes"), {
      ...twice,
      detail: "r does not wait: it was answered, has expired, or never was"
    })
    says(session, resolve("q", "yes"), twice)
    says(session, resolve("__proto__", "yes"), twice)
  })

  it("expires into its default when its deadline has passed, and not before", () => {
    const session = asking()
    const expire: CommandBody = { type: "request.expire", data: { requestId: requestId("r") } }
    says(session, expire, { detail: "its deadline has not passed" }, "runtime")
    session.wait(defaultPolicy.requestTimeoutMs)
    const resolved = session.records().find((record) => record.type === "permission.resolved")
    assert.deepInclude(resolved, { actor: "runtime" })
    assert.deepStrictEqual(resolved!.data, {
      requestId: "r",
      outcome: { outcome: "selected", optionId: "yes" },
      by: "deadline"
    })
  })
})

describe("People and artifacts", () => {
  it("take part once, and can come back in another role", () => {
    const session = open()
    const join = (role: Role): CommandBody => ({
      type: "participant.join",
      data: { participantId: participantId("viewer"), name: "V", role }
    })
    says(session, join("owner"), { detail: "they take part already: change their role instead" })
    after(session, { type: "participant.leave", data: { participantId: participantId("viewer") } })
    says(
      session,
      { type: "participant.change", data: { participantId: participantId("viewer"), role: "owner" } },
      { reason: "not_found", field: "data.participantId", detail: "viewer does not take part" }
    )
    after(session, join("member"))
    assert.isTrue(session.command(bodyOf("prompt.send"), "viewer").accepted)
  })

  it("are added before they are updated, and up to a bound", () => {
    const session = open()
    says(session, bodyOf("artifact.update"), { field: "data.artifactId", detail: "there is no such artifact: add it" })
    after(session, bodyOf("artifact.add"))
    after(session, bodyOf("artifact.update"))
    says(session, bodyOf("artifact.add"), { detail: "there is such an artifact already: update it" })
    for (let n = 1; n < stateBounds.artifacts; n++) {
      session.tell([{ type: "artifact.added", data: { ...artifact, artifactId: `n${n}` as ArtifactId } }])
    }
    says(
      session,
      { type: "artifact.add", data: { ...artifact, artifactId: "more" as ArtifactId } },
      { reason: "busy", detail: "a session keeps at most 1000 artifacts" }
    )
  })
})

describe("Typing", () => {
  it("is logged once for a burst of one author, and what was typed never", () => {
    const session = open()
    const typed = () => session.records().filter((record) => record.type === "terminal.typed")
    const write = (actor: string) => assert.isTrue(session.command(bodyOf("terminal.write"), actor).accepted)
    write("owner")
    write("owner")
    assert.deepStrictEqual(
      typed().map((record) => record.data),
      [{ bytes: 1 }]
    )
    write("member")
    write("owner")
    session.wait(5_000)
    write("owner")
    assert.deepStrictEqual(
      typed().map((record) => record.actor),
      ["owner", "member", "owner", "owner"]
    )
  })
})

describe("A rejection", () => {
  it("is an error whose message names the command, the field and the fix", () => {
    const session = states["in a turn"]!()
    const rejection = rejected(session, { type: "prompt.send", data: { content, delivery: "steer" } })
    assert.strictEqual(rejection._tag, "CommandRejected")
    assert.strictEqual(rejection.message, "prompt.send was not accepted (data.turnId): name the turn that you mean")
    assert.strictEqual(rejection.sessionId, session.state().sessionId)
  })

  it("leaves the state as it was", () => {
    const session = open()
    const before: SessionState = session.state()
    rejected(session, bodyOf("session.open"))
    assert.strictEqual(session.state(), before)
    playStep(session, { step: "crash" })
    assert.notStrictEqual(session.state(), before)
  })
})
