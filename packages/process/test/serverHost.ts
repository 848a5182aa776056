/** A host with one server, for tests that kill it: starts what its argument says and passes on what the server prints. */
import { Effect } from "effect"
import { type ServerLaunch, startServer } from "../src/index.ts"

const what = JSON.parse(process.argv[2]!) as ServerLaunch

await Effect.runPromise(
  Effect.scoped(
    Effect.gen(function* () {
      const { exited, stdout } = yield* startServer(what)
      stdout.pipe(process.stdout)
      yield* exited
    })
  )
)
