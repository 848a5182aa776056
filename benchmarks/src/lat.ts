import { makeSessionId } from "@holdfast/core"
import { Effect, Stream } from "effect"
import { created, textEvent, withLog } from "./logAppend.ts"
const q = (a: number[], p: number) => (a.sort((x, y) => x - y)[Math.floor(a.length * p)]! * 1000).toFixed(1)
for (let r = 0; r < 4; r++) await withLog((log) => Effect.gen(function* () {
  const id = makeSessionId()
  yield* log.append(id, 0, [created])
  let sent = 0
  const seen: number[] = [], acked: number[] = []
  if (process.argv[2] !== "nofollow") yield* Effect.forkChild(Stream.runForEach(log.follow(id, 1), () => Effect.sync(() => { seen.push(performance.now() - sent) })))
  for (let n = 1; n <= 5000; n++) {
    yield* Effect.callback<void>((resume) => void setImmediate(() => resume(Effect.void)))
    sent = performance.now()
    yield* log.append(id, n, [textEvent(n)])
    acked.push(performance.now() - sent)
  }
  console.log("acked", q(acked, .5), q(acked, .99), "seen", seen.length && q(seen, .5), seen.length && q(seen, .99))
}))
