/**
 * Runs git: without a shell, with an environment and settings of our own, with a deadline, with bounded output, and with an
 * end of all that it started when it is interrupted.
 */
import {
  findProgram,
  keepOutput,
  type KeptOutput,
  makeEnvironment,
  type OwnedProgram,
  processMarkerName,
  startProgram
} from "@holdfast/process"
import { Deferred, Effect, type Scope } from "effect"
import type { Duplex, Readable } from "node:stream"
import { answerPrompt, credentialHelper, type CredentialPrompt } from "./CredentialPrompt.ts"
import { type GitError, gitError } from "./GitError.ts"

/** How long git may take for what is on this machine, in milliseconds: 2 minutes, which a large work tree needs on a busy disk. */
const localTimeoutMs = 120_000

/** Bytes of output that are kept unless a run says otherwise: 16 MiB, about 100,000 paths. */
const defaultMaxOutput = 16 * 1024 * 1024

/** Characters that are kept of what git tells of itself, the last ones: 16,384. */
const maxWords = 16_384

/** Milliseconds that git's outputs have to end once git itself has: 2 s. A program that it left behind may hold them. */
const closeWaitMs = 2_000

/**
 * Settings of every run; they win over those of the repository, which the agent may have written. Hooks and file system
 * monitors would be programs of the repository, and automatic upkeep would go on after git has ended. The owner of a folder
 * is not checked: a workspace that was unpacked or mounted may belong to another user, and is worked in all the same.
 */
const settings: ReadonlyArray<string> = [
  "core.hooksPath=/dev/null",
  "core.fsmonitor=false",
  "core.askPass=",
  "core.quotePath=false",
  "core.pager=cat",
  "color.ui=false",
  "gc.auto=0",
  "maintenance.auto=false",
  "commit.gpgSign=false",
  "push.gpgSign=false",
  "push.recurseSubmodules=no",
  "fetch.recurseSubmodules=no",
  "submodule.recurse=false",
  "protocol.allow=never",
  "protocol.http.allow=always",
  "protocol.https.allow=always",
  "protocol.file.allow=always",
  // Less than a byte a second for a minute is no connection any more.
  "http.lowSpeedLimit=1",
  "http.lowSpeedTime=60",
  "safe.directory=*"
].flatMap((setting) => ["-c", setting])

/** What git gets of the environment: where programs and proxies are, and which certificates count. No home, no tokens. */
const passedNames: ReadonlyArray<string> = [
  "PATH",
  "TMPDIR",
  processMarkerName,
  ...["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"].flatMap((name) => [name, name.toLowerCase()]),
  "SSL_CERT_FILE",
  "SSL_CERT_DIR",
  "CURL_CA_BUNDLE",
  "GIT_SSL_CAINFO",
  "GIT_SSL_CAPATH"
]

const ownValues: Readonly<Record<string, string>> = {
  HOME: "/nonexistent",
  LC_ALL: "C",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_ATTR_NOSYSTEM: "1",
  GIT_TERMINAL_PROMPT: "0",
  GIT_OPTIONAL_LOCKS: "0",
  GIT_LITERAL_PATHSPECS: "1",
  GIT_NO_REPLACE_OBJECTS: "1"
}

/** Where git is and what it may know of this machine. */
export interface GitPlace {
  readonly cwd: string
  /** The environment that it gets what it may have of. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Added to its environment: `GIT_DIR` and the like. */
  readonly values?: Readonly<Record<string, string>>
}

/** One run. */
export interface GitRun extends GitPlace {
  /** What it is for, as errors say it. */
  readonly operation: string
  readonly args: ReadonlyArray<string>
  readonly stdin?: string | Uint8Array | Readable
  readonly timeoutMs?: number
  /** Past it git is ended and the result says `truncated`. */
  readonly maxOutput?: number
  /** Takes what git writes, instead of its being kept. A rejection ends git and fails the run. */
  readonly take?: (stdout: Readable) => Promise<void>
  /** What the server is told when it asks for credentials; without it none are given. */
  readonly credentials?: CredentialPrompt
  /** Told of each line that git writes about its progress. */
  readonly onLine?: (line: string) => void
}

/** How it ended. */
export interface GitResult {
  /** Null where a signal ended it. */
  readonly exitCode: number | null
  readonly stdout: Buffer
  readonly truncated: boolean
  /** The end of what it wrote to stderr. */
  readonly words: string
}

/** Runs git to its end, whatever its exit code is. */
export const runGit = (run: GitRun): Effect.Effect<GitResult, GitError> => {
  const timeoutMs = run.timeoutMs ?? localTimeoutMs
  return Effect.scoped(attend(run)).pipe(
    Effect.timeoutOrElse({
      duration: timeoutMs,
      orElse: () => Effect.fail(gitError(run.operation, "timeout", `git took longer than ${timeoutMs / 1_000} s`))
    })
  )
}

const attend = Effect.fnUntraced(function* (run: GitRun): Effect.fn.Return<GitResult, GitError, Scope.Scope> {
  const git = yield* start(run)
  const words = keepWords(git.stderr, run.onLine)
  const output = run.take === undefined ? keepPrinted(git, run.maxOutput ?? defaultMaxOutput) : undefined
  const taken = Deferred.makeUnsafe<void, unknown>()
  run.take?.(git.stdout).then(
    () => Deferred.doneUnsafe(taken, Effect.void),
    (error: unknown) => Deferred.doneUnsafe(taken, Effect.fail(error))
  )
  feed(git, run.stdin)
  if (run.credentials !== undefined) yield* Effect.forkScoped(answerPrompt(git.stdio[3] as Duplex, run.credentials))

  if (run.take !== undefined) {
    yield* Deferred.await(taken).pipe(
      Effect.mapError((cause) => gitError(run.operation, failureOfSystem(cause), String((cause as Error).message)))
    )
  }
  const { exitCode } = yield* git.exited
  yield* Effect.timeoutOption(git.closed, closeWaitMs)
  return {
    exitCode,
    stdout: output?.bytes() ?? Buffer.alloc(0),
    truncated: output?.isTruncated() ?? false,
    words: run.credentials === undefined ? words() : run.credentials.redact(words())
  }
})

const failureOfSystem = (cause: unknown) => {
  const code = (cause as NodeJS.ErrnoException).code
  return code === "ENOSPC" || code === "EDQUOT" ? "disk_full" : code === "ERR_TOO_LARGE" ? "too_large" : "failed"
}

/** Thrown by whoever takes an output that is longer than its bound. */
export const tooLarge = (maxBytes: number): Error =>
  Object.assign(new Error(`it is larger than the bound of ${maxBytes} bytes`), { code: "ERR_TOO_LARGE" })

const start = (run: GitRun): Effect.Effect<OwnedProgram, GitError, Scope.Scope> => {
  const env = makeEnvironment({ host: run.env, pass: passedNames, values: { ...ownValues, ...run.values } })
  const program = findProgram("git", run.cwd, env)
  if ("expected" in program) {
    return Effect.fail(
      gitError(run.operation, "git_missing", `expected ${program.expected}: install git 2.32 or newer`)
    )
  }
  const helper = run.credentials === undefined ? [] : ["-c", `credential.helper=${credentialHelper}`]
  const args = [...settings, "-c", "credential.helper=", ...helper, ...run.args]
  const pipes = run.credentials === undefined ? 0 : 1
  return startProgram({ command: program.path, args, cwd: run.cwd, env, pipes }).pipe(
    Effect.mapError(({ reason }) => gitError(run.operation, "failed", `git could not be started: ${reason}`))
  )
}

const feed = ({ kill, stdin }: OwnedProgram, input: GitRun["stdin"]) => {
  if (input === undefined || typeof input === "string" || input instanceof Uint8Array) stdin.end(input ?? "")
  else input.once("error", kill).pipe(stdin)
}

/** Keeps what git prints. Nobody reads more than fits: git need not make it. */
const keepPrinted = ({ kill, stdout }: OwnedProgram, maxBytes: number): KeptOutput => {
  const output = keepOutput(maxBytes, kill)
  stdout.on("data", output.take)
  return output
}

const keepWords = (stderr: Readable, onLine: GitRun["onLine"]) => {
  let words = ""
  let line = ""
  stderr.setEncoding("utf8").on("data", (text: string) => {
    words = (words + text).slice(-maxWords)
    if (onLine === undefined) return
    const lines = (line + text).split(/[\r\n]+/)
    line = lines.pop()!.slice(-maxWords)
    for (const each of lines) if (each.trim() !== "") onLine(each.trim())
  })
  return () => words
}
