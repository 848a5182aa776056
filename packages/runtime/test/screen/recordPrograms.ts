/**
 * Records what full-screen programs write, as the fixtures of the snapshot's tests. Run by hand when a program should be
 * added; the programs need not be installed where the tests run:
 *
 *     node packages/runtime/test/screen/recordPrograms.ts
 *
 * Each runs in an empty directory with an environment of its own, so that nothing of the machine gets into a recording.
 */
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as wait } from "node:timers/promises"
import { spawn } from "node-pty"

const fixtures = join(import.meta.dirname, "fixtures")

interface Program {
  readonly name: string
  readonly cols: number
  readonly rows: number
  readonly command: readonly [string, ...Array<string>]
  /** What is typed, a pause after each. */
  readonly keys: ReadonlyArray<string>
}

const programs: ReadonlyArray<Program> = [
  {
    name: "vim",
    cols: 60,
    rows: 16,
    command: ["vim", "-u", "NONE", "-N", "-c", "set number hlsearch ruler nofixeol", "story.txt"],
    keys: [
      "5j",
      "dd",
      "ihello 漢字 é\x1b",
      "/line 2\r",
      "\x06",
      "\x02",
      ":split\r",
      ":syntax on\r",
      "vjj",
      ">",
      "u",
      "\x17j",
      "G",
      ":sh"
    ]
  },
  {
    name: "less",
    cols: 50,
    rows: 12,
    command: ["less", "-N", "-R", "story.txt"],
    keys: [" ", " ", "b", "/line 3\r", "n", "G", "g", "-S", "\r", "h", "j", "j", "k"]
  },
  {
    name: "tmux",
    cols: 70,
    rows: 18,
    command: ["tmux", "-L", "holdfast-recording", "-f", "tmux.conf"],
    keys: [
      "echo one; seq 40\r",
      "\x02%",
      "seq 5\r",
      '\x02"',
      "less story.txt\r",
      " ",
      "q",
      "\x02o",
      "printf '\\033[1;31mred\\033[m\\n'\r",
      "\x02[",
      "\x1b[A\x1b[A"
    ]
  },
  {
    name: "top",
    cols: 64,
    rows: 14,
    command: ["bash", "--norc", "-c", "exec top -d 0.3 -p $$"],
    keys: ["", "c", "1", "z", "x", "?", " ", "t"]
  },
  {
    name: "bash",
    cols: 40,
    rows: 10,
    command: ["bash", "--norc", "--noprofile", "-i"],
    keys: [
      "echo hello\r",
      "ls /dev/null nowhere\r",
      "printf '\\e]2;a title\\a'\r",
      "echo a very long line that is wrapped by readline at the edge of the terminal, twice",
      "\x01\x0b",
      "\x12hello",
      "\x07",
      "seq 30\r",
      "for i in 1 2 3; do\r",
      "printf '%s\\r' $i\r",
      "done\r",
      "cle\t\t",
      "\x15clear\r",
      "printf '漢字%.0s' 1 2 3 4 5 6 7 8 9 10 11 12\r"
    ]
  }
]

const record = async ({ cols, command, keys, rows }: Program, cwd: string): Promise<Buffer> => {
  const parts: Array<Buffer> = []
  const [file, ...args] = command
  const terminal = spawn(file, args, {
    cols,
    rows,
    cwd,
    encoding: null,
    env: {
      PATH: process.env.PATH ?? "",
      TERM: "xterm-256color",
      HOME: cwd,
      LANG: "C.UTF-8",
      PS1: "$ ",
      SHELL: "/bin/sh"
    }
  })
  const exited = new Promise<void>((resolve) => terminal.onExit(() => resolve()))
  terminal.onData((data) => parts.push(Buffer.from(data)))
  await wait(700)
  for (const key of keys) {
    terminal.write(key)
    await wait(350)
  }
  terminal.kill("SIGKILL")
  await exited
  return Buffer.concat(parts)
}

mkdirSync(fixtures, { recursive: true })
for (const program of programs) {
  const cwd = mkdtempSync(join(tmpdir(), "recording-"))
  const story = Array.from({ length: 60 }, (_, index) => `line ${index + 1} ${"of the story ".repeat(index % 7)}`)
  writeFileSync(join(cwd, "story.txt"), story.join("\n"))
  writeFileSync(
    join(cwd, "tmux.conf"),
    'set -g status-right ""\nset -g status-left "[#S] "\nset -g default-command "PS1=\'$ \' sh"\nset -g set-titles off\nset -g automatic-rename off\n'
  )
  const bytes = await record(program, cwd)
  writeFileSync(join(fixtures, `${program.name}.${program.cols}x${program.rows}.bin`), bytes)
  process.stderr.write(`${program.name}: ${bytes.length} bytes\n`)
  rmSync(cwd, { recursive: true, force: true })
}
