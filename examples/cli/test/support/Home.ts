/** A store of a test's own, and the real command on it: as a subprocess, or in a real terminal. */
import { spawn, type ChildProcess } from "node:child_process"
import { dirname } from "node:path"
import { fileURLToPath } from "node:url"
import { SqliteEventLog } from "@holdfast/store-sqlite"
import { Effect, Exit, Scope } from "effect"
import { temporaryStore } from "../../src/tour/TemporaryStore.ts"
import { Terminal, type TerminalOptions } from "./Terminal.ts"

const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url))

/** How Node is started to run the command. */
export const command: readonly [file: string, ...args: ReadonlyArray<string>] = [
  process.execPath,
  "--conditions=@holdfast/source",
  main
]

/** What runs in sandboxes must not outlive a killed test run for long: it looks for its host for a minute. */
const testLifetime = { HOLDFAST_BRIDGE_LIFETIME_MS: "60000" }

/** What a run of the command left. */
export interface Ran {
  readonly code: number
  readonly stdout: Buffer
  readonly out: string
  readonly err: string
}

/** A running command. */
export interface Running {
  readonly child: ChildProcess
  /** Completes once stdout has this. */
  readonly printed: (text: string) => Promise<void>
  readonly ended: Promise<Ran>
}

/** A store and the command on it. */
export class Home {
  readonly store: string
  readonly #scope: Scope.Closeable
  readonly env: Readonly<Record<string, string>>

  private constructor(store: string, scope: Scope.Closeable, more: Readonly<Record<string, string>>) {
    this.store = store
    this.#scope = scope
    const { CI: _ci, FORCE_COLOR: _force, HOLDFAST_STORE: _store, NO_COLOR: _no, ...env } = process.env
    this.env = { ...(env as Record<string, string>), HOLDFAST_STORE: store, TZ: "UTC", ...testLifetime, ...more }
  }

  /** @param more variables that the command has besides */
  static async make(more: Readonly<Record<string, string>> = {}): Promise<Home> {
    const scope = Scope.makeUnsafe()
    return new Home(await Effect.runPromise(Scope.provide(temporaryStore, scope)), scope, more)
  }

  /** A directory for files of the test, deleted with the store. */
  get directory(): string {
    return dirname(this.store)
  }

  /** Ends the store's owner and whatever its sessions left, and deletes it. */
  close = (): Promise<void> => Effect.runPromise(Scope.close(this.#scope, Exit.void))

  /** Starts the command without a terminal. */
  start(args: ReadonlyArray<string>, input = ""): Running {
    const [file, ...fixed] = command
    const child = spawn(file, [...fixed, ...args], { env: this.env, cwd: this.directory, stdio: "pipe" })
    child.stdin.on("error", () => {})
    child.stdin.end(input)
    const out: Array<Buffer> = []
    const err: Array<Buffer> = []
    const looks = new Set<() => void>()
    child.stdout.on("data", (chunk: Buffer) => {
      out.push(chunk)
      for (const look of looks) look()
    })
    child.stderr.on("data", (chunk: Buffer) => err.push(chunk))
    const ended = new Promise<Ran>((resolve, reject) => {
      child.once("error", reject)
      child.once("close", (code) => {
        const stdout = Buffer.concat(out)
        resolve({ code: code ?? -1, stdout, out: stdout.toString(), err: Buffer.concat(err).toString() })
      })
    })
    const printed = (text: string) =>
      new Promise<void>((resolve, reject) => {
        const look = () => {
          if (!Buffer.concat(out).includes(text)) return
          looks.delete(look)
          resolve()
        }
        looks.add(look)
        look()
        void ended.then(({ err, out }) =>
          reject(new Error(`it ended without ${JSON.stringify(text)}:\n${out}\n${err}`))
        )
      })
    return { child, printed, ended }
  }

  /** Runs the command to its end. */
  run(...args: ReadonlyArray<string>): Promise<Ran> {
    return this.start(args).ended
  }

  /** Runs the command, which must succeed, and reads its JSON. */
  async json<T>(...args: ReadonlyArray<string>): Promise<T> {
    const { code, err, out } = await this.run(...args, "--json")
    if (code !== 0) throw new Error(`${args.join(" ")} ended with ${code}: ${err}`)
    return JSON.parse(out) as T
  }

  /** Starts a session that goes on by itself; gives its id. */
  async detached(...program: ReadonlyArray<string>): Promise<string> {
    const { code, err, out } = await this.run("run", "--detach", "--", ...program)
    if (code !== 0) throw new Error(`run ended with ${code}: ${err}`)
    return out.trim()
  }

  /** Runs a session to its end; gives its id. */
  async recorded(...program: ReadonlyArray<string>): Promise<string> {
    const { code, err, out } = await this.run("run", "--json", "--", ...program)
    if (out === "") throw new Error(`run ended with ${code}: ${err}`)
    return (JSON.parse(out) as { readonly sessionId: string }).sessionId
  }

  /** The command in a real terminal. */
  terminal(args: ReadonlyArray<string>, options: TerminalOptions = {}): Terminal {
    return new Terminal([...command, ...args], { env: this.env, cwd: this.directory, ...options })
  }

  /** The process that owns the store. */
  owner(): Promise<
    SqliteEventLog.SqliteLogReader extends { readonly owner: Effect.Effect<infer L, unknown> } ? L : never
  > {
    return Effect.runPromise(
      Effect.scoped(Effect.flatMap(SqliteEventLog.openReader({ path: this.store }), (log) => log.owner))
    )
  }
}
