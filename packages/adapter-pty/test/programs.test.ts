/** Programs that people really use in terminals. */
import { afterEach, assert, describe, it, vi } from "@effect/vitest"
import { type BackendEvent, makeSessionId } from "@holdfast/core"
import { Deferred, Effect, Stream } from "effect"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { findProgram } from "@holdfast/process"
import { ptyBackend } from "../src/index.ts"

const path = { PATH: process.env["PATH"] ?? "" }

/** The programs of this machine among these. */
const present = (...names: ReadonlyArray<string>) => names.filter((name) => "path" in findProgram(name, "/", path))

const temporaryFolder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "holdfast-pty-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
)

/** A terminal in which a test types and sees. */
const openTerminal = Effect.fnUntraced(function* (spec: object) {
  const backend = ptyBackend()
  const checked = yield* backend.check(spec)
  const session = yield* backend.open({ sessionId: makeSessionId(), generation: 1, inDoubt: [], ...checked })
  const events: Array<BackendEvent> = []
  const ended = yield* Deferred.make<void>()
  let screen = ""
  let look: (() => void) | undefined
  yield* Stream.runForEach(session.events, (batch) =>
    Effect.sync(() => {
      for (const event of batch) {
        events.push(event)
        if (event.type === "terminal.output") screen += Buffer.from(event.bytes).toString()
      }
      look?.()
    })
  ).pipe(Effect.ensuring(Deferred.succeed(ended, undefined)), Effect.forkScoped)
  return {
    events,
    type: (text: string) => session.perform({ type: "write", bytes: Buffer.from(text) }),
    /** Waits until the output since the last call has this, and forgets up to there. */
    see: (text: string) =>
      Effect.callback<void>((resume) => {
        look = () => {
          const at = screen.indexOf(text)
          if (at === -1) return
          screen = screen.slice(at + text.length)
          look = undefined
          resume(Effect.void)
        }
        look()
      }),
    ended: Deferred.await(ended)
  }
})

const bash = (more: object = {}) => ({
  profile: "shell",
  command: "bash",
  args: ["--norc", "--noprofile"],
  ...more
})

describe("programs in a terminal", () => {
  afterEach(() => vi.useRealTimers())

  it.live("the echo of each keystroke needs no timer, however fast they come", () =>
    Effect.gen(function* () {
      const terminal = yield* openTerminal({ profile: "command", command: "cat" })
      yield* terminal.type("ready\r")
      yield* terminal.see("ready\r\nready\r\n")
      // From here on no time passes: what waits for a timer never comes.
      vi.useFakeTimers({ toFake: ["setTimeout", "performance"] })
      for (const key of "an echo at once") {
        yield* terminal.type(key)
        yield* terminal.see(key)
      }
    })
  )

  it.live("bash runs what is typed, and its exit code is the session's", () =>
    Effect.gen(function* () {
      const terminal = yield* openTerminal(bash({ env: { values: { PS1: "ready> " } } }))
      yield* terminal.see("ready> ")
      yield* terminal.type("echo $((6 * 7)) $COLUMNS žluť\r")
      yield* terminal.see("42 80 žluť")
      yield* terminal.see("ready> ")
      // It says so itself: by then it has the terminal, and Ctrl-C does not go to a shell that is about to give it away.
      yield* terminal.type("sh -c 'echo st\"\"arted; exec sleep 1000'\r")
      yield* terminal.see("started")
      yield* terminal.type("\x03")
      yield* terminal.see("ready> ")
      yield* terminal.type("exit 9\r")
      yield* terminal.ended
      assert.deepInclude(terminal.events.at(-1), {
        type: "backend.closed",
        data: { reason: "exited with code 9", exitCode: 9, signal: null }
      })
    }).pipe(Effect.scoped)
  )

  it.live("bash with shell integration tells title, directory, prompt, command and its exit code", () =>
    Effect.gen(function* () {
      const values = {
        PS1: "\\[\\e]133;A\\a\\]ready> \\[\\e]133;B\\a\\]",
        PS0: "\\e]133;C\\a",
        PROMPT_COMMAND: 'printf "\\e]133;D;$?\\a\\e]0;at %s\\a\\e]7;file://%s%s\\a" "$PWD" "$HOSTNAME" "$PWD"'
      }
      const terminal = yield* openTerminal(bash({ cwd: "/tmp", env: { values } }))
      yield* terminal.see("ready> ")
      yield* terminal.type("cd / && (exit 3)\r")
      yield* terminal.see("ready> ")
      yield* terminal.type("exit\r")
      yield* terminal.ended
      const told = (type: BackendEvent["type"]) => terminal.events.filter((event) => event.type === type)
      assert.deepStrictEqual(told("terminal.titled"), [
        { type: "terminal.titled", data: { title: "at /tmp" } },
        { type: "terminal.titled", data: { title: "at /" } }
      ])
      assert.deepNestedInclude(told("terminal.directory_changed").at(-1), { "data.path": "/" })
      const marks = told("terminal.marked").map((event) => (event.type === "terminal.marked" ? event.data.mark : ""))
      const once = ["finished", "prompt", "input", "running"]
      assert.deepStrictEqual(marks, [...once, ...once])
      assert.deepInclude(told("terminal.marked"), {
        type: "terminal.marked",
        data: { mark: "finished", exitCode: 3 }
      })
    }).pipe(Effect.scoped)
  )

  for (const editor of present("vim", "vi").slice(0, 1)) {
    it.live(`${editor} takes keys and writes a file`, () =>
      Effect.gen(function* () {
        const folder = yield* temporaryFolder
        const file = join(folder, "file.txt")
        writeFileSync(file, "first line\n")
        const terminal = yield* openTerminal({
          profile: "command",
          command: editor,
          args: ["-u", "NONE", "-n", file],
          env: { values: { HOME: folder } }
        })
        yield* terminal.see("first line")
        yield* terminal.type("osecond line\x1b")
        yield* terminal.see("second line")
        yield* terminal.type(":wq\r")
        yield* terminal.ended
        assert.strictEqual(readFileSync(file, "utf8"), "first line\nsecond line\n")
        assert.deepNestedInclude(terminal.events.at(-1), { "data.exitCode": 0 })
      }).pipe(Effect.scoped)
    )
  }

  for (const pager of present("less")) {
    it.live(`${pager} pages through a file in the size of the terminal`, () =>
      Effect.gen(function* () {
        const folder = yield* temporaryFolder
        const file = join(folder, "file.txt")
        writeFileSync(file, Array.from({ length: 100 }, (_, line) => `line ${line + 1}\n`).join(""))
        const terminal = yield* openTerminal({ profile: "command", command: pager, args: [file], rows: 11 })
        yield* terminal.see("line 10")
        yield* terminal.type(" ")
        yield* terminal.see("line 20")
        yield* terminal.type("G")
        yield* terminal.see("line 100")
        yield* terminal.type("q")
        yield* terminal.ended
        assert.deepNestedInclude(terminal.events.at(-1), { "data.exitCode": 0 })
      }).pipe(Effect.scoped)
    )
  }
})
