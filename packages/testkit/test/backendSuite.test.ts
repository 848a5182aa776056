import { type Backend, type Capabilities, BackendLost, SpecInvalid } from "@holdfast/core"
import { makeSharedServer, type ServerProcess, startServer } from "@holdfast/process"
import { Effect } from "effect"
import { randomUUID } from "node:crypto"
import { agentWords, scriptedAgents, scriptedBackend } from "../src/index.ts"
import { type BackendSuiteOptions, backendSuite } from "../src/suites.ts"

const isRecord = (spec: unknown) => typeof spec === "object" && spec !== null && !Array.isArray(spec)

const everything: Capabilities = {
  terminal: false,
  signals: false,
  prompts: true,
  steer: true,
  interrupt: true,
  permissions: true,
  questions: true,
  resume: true,
  fork: true,
  suspend: true,
  configure: true,
  compact: true,
  revert: true,
  archive: true,
  stopItems: true
}

const agent = Effect.sync(() =>
  scriptedBackend({
    capabilities: everything,
    check: (spec) =>
      isRecord(spec)
        ? Effect.succeed({ spec })
        : Effect.fail(new SpecInvalid({ backend: "scripted", field: "spec", expected: "an object" })),
    openings: scriptedAgents()
  })
)

const say = (token: string) => `Say ${token}`

const options: BackendSuiteOptions = {
  spec: {},
  badSpecs: [{ spec: 3, field: "spec" }],
  agent: {
    say,
    long: (token) => `${agentWords.begin} ${token}`,
    steer: { running: (token) => `${agentWords.begin} ${token}`, into: (token) => `and now finish ${token}` },
    tool: (token) => `${agentWords.tool} ${token}`,
    failingTool: (token) => `${agentWords.failingTool} ${token}`,
    parallelTools: (one, other) => `${agentWords.parallelTools} ${one} ${other}`,
    longTool: (token) => `${agentWords.longTool} ${token}`,
    permission: (token) => `${agentWords.permission} to ${agentWords.tool} ${token}`,
    question: (token) => `${agentWords.question} ${token}`,
    refused: (token) => `${agentWords.refuse} ${token}`,
    overloaded: (token) => `${agentWords.overload} ${token}`,
    retried: (token) => `${agentWords.retry} ${token}`,
    recall: agentWords.recall,
    choice: { model: "another" },
    usage: { inputTokens: say("tok000000000000").length, outputTokens: say("tok000000000000").length },
    restores: true
  }
}

/** The scripted agents behind a real process that all of their sessions share. */
const withSharedServer = Effect.map(agent, (backend): Backend => {
  const server = makeSharedServer<ServerProcess, BackendLost>({
    start: startServer({
      command: "/bin/sh",
      args: ["-c", "setsid sleep 1000 & cat"],
      cwd: "/",
      env: {},
      marker: `shared-${randomUUID()}`,
      stop: "stdin"
    }).pipe(
      Effect.map((started) => ({ server: started, died: started.exited })),
      Effect.mapError(
        (error) => new BackendLost({ backend: backend.name, reason: error.message, retryable: true, cause: error })
      )
    )
  })
  return {
    ...backend,
    open: (request) =>
      Effect.gen(function* () {
        const { identity, marker } = yield* server.get
        const session = yield* backend.open(request)
        backend.sessions.at(-1)!.say({
          type: "process.spawned",
          data: { ...identity!, command: "/bin/sh", shared: true, marker }
        })
        return session
      }),
    release: server.release
  }
})

backendSuite("scriptedBackend with an agent", agent, options)

backendSuite("a backend whose sessions share a server", withSharedServer, { ...options, once: true })

backendSuite("a backend whose sessions are handed on from test to test", agent, {
  ...options,
  once: true,
  handOn: true
})

backendSuite(
  "scriptedBackend that can do nothing",
  Effect.sync(() => scriptedBackend()),
  { spec: {}, badSpecs: [] }
)
