/**
 * What holdfast promises, shown on real input in a few seconds: a real program in a real terminal, three readers of its log,
 * a SIGKILL in the middle, and what is left of it all afterwards. Everything it makes is temporary.
 */
import { processMarker, tree } from "@holdfast/process"
import { makeSessionReader } from "@holdfast/runtime"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { dirname } from "node:path"
import { exitCodes, Refused } from "../ExitCode.ts"
import { line } from "../output/Output.ts"
import { styleOf } from "../output/Style.ts"
import { count, size } from "../output/Text.ts"
import { endedLifecycles } from "../owner/AttachedStream.ts"
import { reachOwner } from "../owner/OwnerClient.ts"
import { openReader } from "../store/Reader.ts"
import { frame } from "./Frame.ts"
import { temporaryStore } from "./TemporaryStore.ts"
import { follow, type Assembled } from "./TourReader.ts"

/** A build that goes on for ever and draws as builds do; beside it something that ignores the end of its terminal. */
const program = `
(trap '' HUP; exec sleep 600) &
step=0
while :; do
  step=$((step + 1))
  printf '\\r\\033[2K\\033[3%dm  compiled\\033[0m module %d\\n' $((step % 6 + 1)) $step
  printf '  [%-40.*s] %d' $((step % 40 + 1)) '########################################' $step
  sleep 0.02
done`

/** Events that the eager reader has seen when the owner is killed, and when the late reader joins. */
const eventsBeforeKill = 80
const eventsBeforeJoin = 40

const style = styleOf(process.stdout)
const title = (number: number, text: string) => line(`\n${style("bold", `${number}  ${text}`)}`)
const fact = (text: string) => line(`   ${text}`)

/** States one promise and holds it to account. */
const promise = (kept: boolean, text: string) =>
  kept
    ? line(`   ${style("green", "✓")} ${text}`)
    : Effect.fail(new Refused({ code: exitCodes.refused, detail: `the tour failed: it is not true that ${text}` }))

/** Takes the tour. Fails with the first promise that is not kept. */
export const takeTour = Effect.gen(function* () {
  const store = yield* temporaryStore
  yield* line(
    `${style("bold", "Holdfast")}: the log is the session. A short tour, on a real program in a real terminal.`
  )

  yield* title(1, "A program starts in a recorded terminal")
  const { pid, sessionId } = yield* Effect.scoped(
    Effect.gen(function* () {
      const owner = yield* reachOwner(store)
      const spec = { profile: "command", command: "sh", args: ["-c", program], cwd: dirname(store), cols: 72, rows: 12 }
      const created = yield* owner.Create({ backend: "pty", spec, title: "a build" })
      return { sessionId: created.sessionId, pid: (yield* owner.Hello()).pid }
    })
  )
  yield* fact(`session ${sessionId}, 72×12, owned by the background process ${pid}`)

  yield* title(2, "Three other readers follow its log, each at its own pace")
  const log = yield* openReader(store)
  const half = yield* Deferred.make<void>()
  const enough = yield* Deferred.make<number>()
  const eager = yield* Effect.forkScoped(
    follow(store, sessionId, {
      onEvent: ({ seq }) => {
        if (seq === eventsBeforeJoin) Deferred.doneUnsafe(half, Effect.void)
        if (seq === eventsBeforeKill) Deferred.doneUnsafe(enough, Effect.succeed(seq))
      }
    })
  )
  const slow = yield* Effect.forkScoped(follow(store, sessionId, { pageEvents: 4, pauseMs: 40 }))
  yield* Deferred.await(half)
  const late = yield* Effect.forkScoped(follow(store, sessionId, {}))
  yield* fact(`an eager one, a slow one, and one that joins after event ${eventsBeforeJoin}`)

  const seqAtKill = yield* Deferred.await(enough)
  yield* title(3, `The owner is killed in the middle (SIGKILL to process ${pid})`)
  const marker = processMarker(sessionId, 1)
  const before = yield* tree({ marker })
  process.kill(pid, "SIGKILL")
  yield* fact(`the program had ${count(before.length, "process", "processes")}; one ignores that its terminal is gone`)

  yield* title(4, "A new owner starts, and puts the log in order")
  const swept = yield* Effect.scoped(
    Effect.flatMap(reachOwner(store), (owner) => Effect.map(owner.Hello(), (hello) => hello.swept))
  )
  const summary = yield* log.summary(sessionId)
  yield* promise(swept.sessions === 1, "it found the session that had been live")
  yield* promise(
    endedLifecycles.has(summary.lifecycle),
    `nothing stays "working": it is ${summary.lifecycle}, because ${summary.reason}`
  )
  yield* promise(
    (yield* tree({ marker })).length === 0,
    `what the program had left behind is gone (${count(swept.orphans, "process", "processes")})`
  )

  yield* title(5, "The readers went on meanwhile, over the crash and past it")
  const readers: ReadonlyArray<readonly [name: string, fiber: Fiber.Fiber<Assembled, unknown>]> = [
    ["eager", eager],
    ["slow", slow],
    ["late", late]
  ]
  const digests = new Set<string>()
  for (const [name, fiber] of readers) {
    const assembled = yield* Fiber.join(fiber)
    digests.add(assembled.digest)
    yield* fact(`${name.padEnd(6)} ${count(assembled.events, "event")}, sha256 ${assembled.digest.slice(0, 16)}…`)
    yield* promise(assembled.events === summary.seq, `it has each of the log's ${summary.seq} events once, in order`)
  }
  yield* promise(digests.size === 1, "all three assembled the same log, byte by byte")

  yield* title(6, `The screen as it was at event ${seqAtKill}, computed from the log`)
  const screen = yield* makeSessionReader(log).screen(sessionId, seqAtKill)
  yield* line(frame(screen.lines, 72, style))

  yield* title(7, "What it takes")
  yield* Effect.scoped(Effect.flatMap(reachOwner(store), (owner) => owner.Vacuum()))
  const { bytes } = yield* log.stats
  yield* fact(
    `${count(summary.seq, "event")}, ${size(summary.outputBytes)} of output, ${size(bytes)} on disk; all of it is deleted now`
  )
}).pipe(Effect.scoped)
