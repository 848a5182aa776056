/** A real terminal with a program in it, as a person has one. */
import { spawn, type IPty } from "node-pty"

/** What it is like. */
export interface TerminalOptions {
  readonly cols?: number
  readonly rows?: number
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
}

/** Milliseconds after which a text that does not come fails the test, with what came instead. */
const patienceMs = 20_000

/** A terminal whose output can be waited for. */
export class Terminal {
  readonly #pty: IPty
  #output = ""
  #seen = 0
  readonly #looks = new Set<() => void>()
  /** The exit code, or 128 and the signal's number. */
  readonly exited: Promise<number>

  constructor([file, ...args]: readonly [string, ...ReadonlyArray<string>], options: TerminalOptions) {
    const { cols = 80, cwd, env, rows = 24 } = options
    this.#pty = spawn(file, [...args], { name: "xterm-256color", cols, rows, cwd: cwd!, env: { ...env } })
    this.#pty.onData((text) => {
      this.#output += text
      for (const look of this.#looks) look()
    })
    this.exited = new Promise((resolve) => {
      this.#pty.onExit(({ exitCode, signal }) => resolve(signal ? 128 + signal : exitCode))
    })
  }

  get pid(): number {
    return this.#pty.pid
  }

  /** Everything that was shown. */
  get output(): string {
    return this.#output
  }

  type(keys: string | Uint8Array): void {
    this.#pty.write(typeof keys === "string" ? keys : Buffer.from(keys))
  }

  resize(cols: number, rows: number): void {
    this.#pty.resize(cols, rows)
  }

  /** Waits for a text behind the one that was waited for last. */
  shows(text: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = () => {
        const at = this.#output.indexOf(text, this.#seen)
        if (at === -1) return
        this.#seen = at + text.length
        done()
        resolve()
      }
      const timer = setTimeout(() => {
        done()
        reject(new Error(`the terminal did not show ${JSON.stringify(text)}, but ${JSON.stringify(this.#output)}`))
      }, patienceMs)
      const done = () => {
        clearTimeout(timer)
        this.#looks.delete(look)
      }
      this.#looks.add(look)
      look()
    })
  }
}
