/** Backends that break one promise each: a scripted agent, or a real terminal, behind something that lies. */
import { ptyBackend } from "@holdfast/adapter-pty"
import {
  type Backend,
  type BackendCommand,
  type BackendEvent,
  type BackendSession,
  type ItemId,
  makeSessionId,
  type OpenRequest,
  SpecInvalid
} from "@holdfast/core"
import { processMarker, processMarkerName } from "@holdfast/process"
import { Effect, Stream } from "effect"
import { spawn } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { afterAll } from "vitest"
import { agentWords, everyCapability, scriptedAgents, scriptedBackend } from "../../src/index.ts"
import { backendSuite, type BackendSuiteOptions, type SuiteProcess } from "../../src/suites.ts"
import type { Fault } from "./Fault.ts"

/** Milliseconds after which something counts as not happening. A hundred times what anything here takes. */
const deadline = 1_500

const secret = "s3cr3t-v4lu3"

const agent = Effect.sync((): Backend =>
  scriptedBackend({
    capabilities: { ...everyCapability, terminal: false, signals: false },
    check: (spec) =>
      typeof spec === "object"
        ? Effect.succeed({ spec: {} })
        : Effect.fail(new SpecInvalid({ backend: "scripted", field: "spec", expected: "an object" })),
    openings: scriptedAgents()
  })
)

const agentOptions: BackendSuiteOptions = {
  spec: {},
  badSpecs: [{ spec: 3, field: "spec" }],
  secret: { spec: { token: secret }, value: secret },
  agent: {
    say: (token) => `Say ${token}`,
    long: (token) => `${agentWords.begin} ${token}`,
    permission: (token) => `${agentWords.permission} to ${agentWords.tool} ${token}`,
    recall: agentWords.recall
  },
  deadline
}

const terminal = Effect.sync((): Backend => ptyBackend())

const terminalOptions: BackendSuiteOptions = {
  spec: { profile: "command", command: "cat" },
  badSpecs: [],
  script: (source) => ({ profile: "command", command: "sh", args: ["-c", source] }),
  deadline
}

type Spoil = (backend: Backend) => Backend

const fault =
  (make: Effect.Effect<Backend>, options: BackendSuiteOptions) =>
  (name: string, breaks: string, says: RegExp, spoil: Spoil): Fault => ({
    name,
    breaks,
    says,
    register: (title, isFaulty) => backendSuite(title, isFaulty ? Effect.map(make, spoil) : make, options)
  })

const ofAgent = fault(agent, agentOptions)
const ofTerminal = fault(terminal, terminalOptions)

/** Spoils every session. */
const sessions =
  (spoil: (session: BackendSession, request: OpenRequest) => BackendSession): Spoil =>
  (backend) => ({
    ...backend,
    open: (request) => Effect.map(backend.open(request), (session) => spoil(session, request))
  })

/** Spoils what every session tells, a batch at a time. */
const telling = (make: () => (batch: ReadonlyArray<BackendEvent>) => ReadonlyArray<BackendEvent>): Spoil =>
  sessions((session) => {
    const spoil = make()
    const events = session.events.pipe(
      Stream.map(spoil),
      Stream.filter((batch) => batch.length > 0)
    )
    // All of it is told in one way, which is spoilt.
    const { passOutput: _, ...rest } = session
    return { ...rest, events }
  })

/** Does something else than one kind of command. */
const performing = (
  type: BackendCommand["type"],
  instead: (command: BackendCommand, perform: BackendSession["perform"]) => ReturnType<BackendSession["perform"]>
): Spoil =>
  sessions((session) => ({
    ...session,
    perform: (command) => (command.type === type ? instead(command, session.perform) : session.perform(command))
  }))

/** Gives every agent's tool call a second time when a permission is answered again. */
const actingTwice: Spoil = sessions((session) => {
  let answers = 0
  const repeated = ({ data, type }: BackendEvent & { readonly data?: unknown }): ReadonlyArray<BackendEvent> => {
    const { kind } = data as { readonly kind?: string }
    if (type !== "item.completed" || kind !== "tool_call" || answers < 1) return []
    const again = { ...(data as object), itemId: `${(data as { itemId: ItemId }).itemId}-again` }
    return [
      { type: "item.started", data: { ...again, output: undefined } },
      { type: "item.completed", data: again }
    ] as never
  }
  return {
    ...session,
    perform: (command) => {
      if (command.type === "resolvePermission") answers += 1
      return session.perform(command)
    },
    events: Stream.map(session.events, (batch) =>
      batch.flatMap((event) => ("data" in event ? [event, ...repeated(event)] : [event]))
    )
  }
})

/** What ends what a faulty backend left. */
const cleaning: Array<() => void> = []

/** Starts a process in each session's name, and forgets it. */
const forgettingProcess: Spoil = sessions((session, { generation, sessionId }) => {
  const child = spawn("sleep", ["60"], {
    stdio: "ignore",
    env: { ...process.env, [processMarkerName]: processMarker(sessionId, generation) }
  })
  cleaning.push(() => child.kill("SIGKILL"))
  return session
})

/** Ends what faulty backends have left, once all suites have run. */
export const registerCleaning = () => afterAll(() => cleaning.forEach((clean) => clean()))

/** All of them. */
export const backendFaults: ReadonlyArray<Fault> = [
  ofAgent("takes any spec", "refuses 3 and names spec", /SpecInvalid/, (backend) => ({
    ...backend,
    check: () => Effect.succeed({ spec: {} })
  })),
  ofAgent("logs secrets", "keeps secret values out of what is logged", new RegExp(secret), (backend) => ({
    ...backend,
    check: (spec) => Effect.map(backend.check(spec), () => ({ spec }))
  })),
  ofAgent(
    "ends without a reason",
    "ends when it is asked to: backend.closed is the last event",
    /backend\.closed/,
    telling(() => (batch) => batch.filter(({ type }) => type !== "backend.closed"))
  ),
  ofAgent(
    "leaves a process of a session running",
    "stops everything when its scope closes, though nobody asked it to end",
    /the end of all processes of the session did not happen/,
    forgettingProcess
  ),
  ofAgent(
    "leaves commands hanging after its end",
    "answers every command after its end",
    /did not happen within/,
    sessions((session) => {
      let isClosed = false
      return {
        ...session,
        perform: (command) =>
          Effect.suspend(() => {
            if (isClosed) return Effect.never
            isClosed = command.type === "close"
            return session.perform(command)
          })
      }
    })
  ),
  ofAgent(
    "tells everything again to a second reader",
    "a second reader gets nothing",
    /toEqual|deeply equal/,
    sessions((session) => {
      const told: Array<ReadonlyArray<BackendEvent>> = []
      const again = Stream.suspend(() => Stream.fromIterable([...told]))
      const live = Stream.tap(session.events, (batch) => Effect.sync(() => told.push(batch)))
      return { ...session, events: Stream.concat(again, live) }
    })
  ),
  ofAgent(
    "ignores an interrupt",
    "while it says something ends the turn once",
    /turn\.completed did not happen/,
    performing("interrupt", () => Effect.succeed({}))
  ),
  ofAgent(
    "acts again on a second answer",
    "are answered once: a second answer and a late one do nothing",
    /length/,
    actingTwice
  ),
  ofAgent(
    "ends a turn twice",
    "follow each other, each with what was said in it",
    /ends once/,
    telling(
      () => (batch) =>
        batch.flatMap((event): typeof batch => (event.type === "turn.completed" ? [event, event] : [event]))
    )
  ),
  ofAgent(
    "tells a message out of order",
    "are begun by a prompt, have a message, and end",
    /repeats its text/,
    telling(
      () => (batch) =>
        batch.map((event) =>
          event.type === "item.delta"
            ? { ...event, data: { ...event.data, text: [...event.data.text].toReversed().join("") } }
            : event
        )
    )
  ),
  ofAgent(
    "tells one session what another does",
    "of many sessions at once are never mixed",
    /tok[0-9a-f]{12}/,
    (backend) => {
      let overheard: ReadonlyArray<BackendEvent> = []
      return telling(() => (batch) => {
        const heard = overheard
        const words = batch.flatMap((event) => (event.type === "item.completed" ? [event.data.text ?? ""] : []))
        overheard = words.length === 0 ? [] : [{ type: "agent.titled", data: { title: words.join(" ") } }]
        return [...heard, ...batch]
      })(backend)
    }
  ),
  ofAgent(
    "forgets its session",
    "goes on after its closing, under the id that it gave",
    /tok[0-9a-f]{12}/,
    (backend) => ({
      ...backend,
      open: ({ nativeId, ...request }) =>
        backend.open(nativeId === undefined ? request : { ...request, sessionId: makeSessionId() })
    })
  ),
  ofTerminal(
    "loses a byte of output",
    "gives exactly the bytes of every value, and takes them",
    /equal/,
    telling(() => {
      let offset = 0
      return (batch) =>
        batch.map((event) => {
          if (event.type !== "terminal.output") return event
          const at = 100 - offset
          offset += event.bytes.byteLength
          return at < 0 ? event : { ...event, bytes: event.bytes.filter((_, index) => index !== at) }
        })
    })
  ),
  ofTerminal(
    "tells of the exit before the last output",
    "tells its start, its output, its exit with the code, and its end, in this order",
    /equal/,
    telling(() => {
      let held: ReadonlyArray<BackendEvent> = []
      return (batch) => {
        const output = batch.filter(({ type }) => type === "terminal.output")
        const rest = batch.filter(({ type }) => type !== "terminal.output")
        const exit = rest.findIndex(({ type }) => type === "process.exited")
        const told = [...rest.slice(0, exit + 1), ...(exit === -1 ? [] : held), ...rest.slice(exit + 1)]
        held = exit === -1 ? [...held, ...output] : []
        return told
      }
    })
  ),
  ofTerminal(
    "loses output that was not taken plainly",
    "tells its start, its output, its exit with the code, and its end, in this order",
    /equal/,
    sessions((session) => ({
      ...session,
      passOutput: (take) =>
        session.passOutput?.((output, stored) => {
          if (!take(output, stored)) stored()
          return true
        })
    }))
  ),
  ofTerminal(
    "passes output plainly while the piece before is being stored",
    "gives random bytes as they are, invalid as UTF-8",
    /output is offered while output is being stored/,
    sessions((session) => ({
      ...session,
      passOutput: (take) =>
        session.passOutput?.((output, stored) => {
          const [first, ...pieces] = output.flatMap(({ bytes, type }) => {
            const third = Math.ceil(bytes.byteLength / 3)
            return [0, 1, 2].map((at) => ({ type, bytes: bytes.slice(at * third, (at + 1) * third) }))
          })
          if (!take([first!], () => undefined)) return false
          for (const piece of pieces) take([piece], () => undefined)
          stored()
          return true
        })
    }))
  ),
  ofTerminal(
    "does not force a program when the grace is over",
    "forces a program that will not end, when the grace is over",
    /did not happen within/,
    performing("close", (command, perform) => perform({ ...command, force: false, graceMs: 60_000 } as BackendCommand))
  ),
  ofTerminal(
    "starts its program without the session's marker",
    "marks its program and what that starts",
    /the sight of 2 processes with the marker .* did not happen/,
    (backend) => ({ ...backend, open: (request) => backend.open({ ...request, sessionId: makeSessionId() }) })
  ),
  {
    name: "is looked at with eyes that see nothing",
    breaks: "marks its program and what that starts",
    says: /the sight of 2 processes with the marker .* did not happen/,
    register: (title, isFaulty) => {
      const processes = isFaulty ? Effect.succeed([]) : Effect.sync(linuxProcesses)
      backendSuite(title, terminal, { ...terminalOptions, machine: { processes } })
    }
  },
  {
    name: "leaves what a session ran in",
    breaks: "can be released at any time between sessions",
    says: /there is still: a box/,
    register: (title, isFaulty) => {
      const boxes = new Set<string>()
      const boxed = Effect.map(agent, (backend): Backend => ({
        ...backend,
        open: (request) => Effect.tap(backend.open(request), () => Effect.sync(() => boxes.add("a box"))),
        release: Effect.sync(() => (isFaulty ? undefined : boxes.clear()))
      }))
      backendSuite(title, boxed, { ...agentOptions, machine: { remains: Effect.sync(() => [...boxes]) } })
    }
  }
]

/** This machine's processes, looked at as a test would that has to look elsewhere. */
const linuxProcesses = (): ReadonlyArray<SuiteProcess> =>
  readdirSync("/proc").flatMap((pid) => {
    try {
      const [command, environment] = [`/proc/${pid}/cmdline`, `/proc/${pid}/environ`].map((file) =>
        readFileSync(file, "utf8")
      )
      const marker = environment!.split("\0").find((each) => each.startsWith(`${processMarkerName}=`))
      return [
        {
          command: command!.replaceAll("\0", " "),
          ...(marker && { marker: marker.slice(processMarkerName.length + 1) })
        }
      ]
    } catch {
      // Not a process, or gone.
      return []
    }
  })
