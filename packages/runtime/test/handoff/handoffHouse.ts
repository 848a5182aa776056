/** What tests of moving sessions need: a repository that is half done, two homes of one agent, and a runtime over both. */
import { codexBackend } from "@holdfast/adapter-codex"
import { ptyBackend } from "@holdfast/adapter-pty"
import type { Backend, EventLogService, EventRecord, SessionId, SessionPolicy, SessionState } from "@holdfast/core"
import { movedWorkspaces } from "@holdfast/git"
import { type HandoffOptions, type HoldfastService, makeHoldfast } from "@holdfast/runtime"
import { SqliteEventLog } from "@holdfast/store-sqlite"
import { writeCodexHome } from "@holdfast/testkit"
import { Effect, type Scope } from "effect"
import { execFileSync } from "node:child_process"
import { mkdirSync, readdirSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { type AgentHouse, openAgentHouse } from "../agents/agentHouse.ts"
import { isQuiet, patience } from "../agents/agentRuntime.ts"
import { eventsOf, prompt } from "../fixtures.ts"

/** What a process needs to run a runtime in such a house: plain JSON. */
export interface HandoffPlace {
  /** The log, the bundles, the homes and the folders are in here. */
  readonly folder: string
  /** The repository. */
  readonly project: string
  /** By the name of the backend: `here` and `there`. */
  readonly environments: Readonly<Record<"here" | "there", Readonly<Record<string, string>>>>
}

/** A place with the model that both homes talk to. */
export interface HandoffHouse extends HandoffPlace {
  readonly model: AgentHouse["model"]
}

const git = (cwd: string, ...args: ReadonlyArray<string>): string =>
  execFileSync("git", args, {
    cwd,
    encoding: "utf8",
    env: {
      PATH: process.env["PATH"],
      HOME: "/nonexistent",
      GIT_CONFIG_NOSYSTEM: "1",
      GIT_AUTHOR_NAME: "T",
      GIT_AUTHOR_EMAIL: "t@example.com",
      GIT_COMMITTER_NAME: "T",
      GIT_COMMITTER_EMAIL: "t@example.com"
    }
  })

/** What git says of a work tree. */
export const statusOf = (folder: string): string => git(folder, "status", "--porcelain=v2", "--untracked-files=all")

/** A commit, something staged, something changed, something new, and something that git ignores. */
export const makeProject = (folder: string): void => {
  mkdirSync(folder, { recursive: true })
  git(folder, "init", "--quiet", "--initial-branch=main")
  writeFileSync(join(folder, ".gitignore"), "ignored\n")
  writeFileSync(join(folder, "changed"), "before\n")
  git(folder, "add", "--all")
  git(folder, "commit", "--quiet", "--message=first")
  writeFileSync(join(folder, "changed"), "after\n")
  writeFileSync(join(folder, "staged"), "staged\n")
  git(folder, "add", "staged")
  writeFileSync(join(folder, "untracked"), "new\n")
  writeFileSync(join(folder, "ignored"), "stays\n")
}

/** Builds a house with two homes of Codex; the scope's end takes it down. */
export const openHandoffHouse: Effect.Effect<HandoffHouse, unknown, Scope.Scope> = Effect.gen(function* () {
  const { environment, model, path } = yield* openAgentHouse("codex")
  const folder = dirname(path)
  const other = writeCodexHome({ folder: join(folder, "other-home"), url: model.url })
  const project = join(folder, "work", "project")
  makeProject(project)
  return { folder, project, model, environments: { here: environment, there: other.environment } }
})

/** Another folder for its project. */
export const thereIn = ({ folder }: HandoffPlace): string => join(folder, "elsewhere", "project")

/** What Codex is asked for in these tests: to do what it is told, in a folder. */
export const specIn = (cwd: string) => ({ cwd, approvalPolicy: "never", sandbox: "danger-full-access" })

/** The backends of a place: Codex in two homes, and terminals. */
export const backendsOf = ({ environments }: HandoffPlace): ReadonlyArray<Backend> => [
  codexBackend({ name: "here", home: environments.here["CODEX_HOME"]!, env: { values: environments.here } }),
  codexBackend({ name: "there", home: environments.there["CODEX_HOME"]!, env: { values: environments.there } }),
  ptyBackend()
]

/** A runtime in a place. */
export interface HandoffRuntime {
  readonly log: EventLogService
  readonly holdfast: HoldfastService
  readonly until: (
    sessionId: SessionId,
    what: string,
    fits: (state: SessionState) => boolean
  ) => Effect.Effect<SessionState, unknown>
  /** Sends a prompt and waits until the session is quiet after it. */
  readonly say: (sessionId: SessionId, text: string) => Effect.Effect<SessionState, unknown>
  readonly events: (sessionId: SessionId) => Effect.Effect<ReadonlyArray<EventRecord>, unknown>
}

/** The bundles of a place. */
export const bundlesOf = ({ folder }: HandoffPlace): string => join(folder, "bundles")

/** What is left of sessions on their way. */
export const bundlesIn = (place: HandoffPlace): ReadonlyArray<string> => {
  try {
    return readdirSync(bundlesOf(place))
  } catch {
    return []
  }
}

/** Starts a runtime; the scope's end stops it. What is given is used in the place of what is usual. */
export const startHandoffRuntime = Effect.fnUntraced(function* (
  place: HandoffPlace,
  instead: {
    readonly backends?: ReadonlyArray<Backend>
    readonly log?: (log: EventLogService) => EventLogService
    readonly handoff?: Partial<HandoffOptions>
    readonly policy?: Partial<SessionPolicy>
  } = {}
): Effect.fn.Return<HandoffRuntime, unknown, Scope.Scope> {
  const stored = yield* SqliteEventLog.open({ path: join(place.folder, "log.db") })
  const log = instead.log?.(stored) ?? stored
  const holdfast = yield* makeHoldfast(log, {
    backends: instead.backends ?? backendsOf(place),
    policy: { retryDelayMs: 50, ...instead.policy },
    handoff: { folder: bundlesOf(place), workspaces: movedWorkspaces(), ...instead.handoff }
  })
  const until: HandoffRuntime["until"] = (sessionId, what, fits) =>
    holdfast.until(sessionId, fits).pipe(
      Effect.timeoutOrElse({
        duration: patience,
        orElse: () =>
          Effect.flatMap(eventsOf(log, sessionId), (events) =>
            Effect.fail(
              new Error(`${what} did not happen; the last events:\n${events.slice(-15).map(line).join("\n")}`)
            )
          )
      })
    )
  return {
    log,
    holdfast,
    until,
    say: Effect.fnUntraced(function* (sessionId, text) {
      const { lastSeq } = yield* holdfast.command(sessionId, prompt(text))
      return yield* until(sessionId, text, (state) => state.seq > lastSeq && isQuiet(state))
    }),
    events: (sessionId) => eventsOf(log, sessionId)
  }
})

const line = ({ data, seq, type }: EventRecord): string => `${seq} ${type} ${JSON.stringify(data).slice(0, 300)}`
