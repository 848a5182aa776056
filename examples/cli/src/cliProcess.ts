/** The process of the command line: its signals, its errors, its exit code. */
import * as Effect from "effect/Effect"
import { cli } from "./cli.ts"
import { endingOf } from "./ExitCode.ts"
import { keepWriteErrors } from "./output/Output.ts"
import { interruptOnSignals } from "./Signals.ts"

keepWriteErrors()
const fiber = Effect.runFork(cli(process.argv.slice(2)))
const received = interruptOnSignals(fiber)
// A fiber that waits for nothing but another fiber keeps no process alive.
const keepAlive = setInterval(() => {}, 2 ** 30)
fiber.addObserver((exit) => {
  clearInterval(keepAlive)
  const { code, message } = endingOf(exit)
  if (message !== undefined) process.stderr.write(`holdfast: ${message}\n`)
  process.exit(received() ?? code)
})
