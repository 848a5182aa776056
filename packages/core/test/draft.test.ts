import { assert, describe, it } from "vitest"
import { draft, emptyState, makeSessionId } from "../src/index.ts"

describe("a clock that runs backwards", () => {
  it("is held at the session's last time, so that times in a log never fall", () => {
    const created = draft(
      emptyState(makeSessionId()),
      { type: "session.created", data: { backend: "pty", spec: {} } },
      { at: 5_000 }
    )
    const back = draft(created.state, { type: "session.renamed", data: { title: "back" } }, { at: 1_000 })
    const on = draft(back.state, { type: "session.renamed", data: { title: "on" } }, { at: 6_000 })
    assert.deepStrictEqual(
      [created, back, on].map(({ record }) => [record.seq, record.at]),
      [
        [1, 5_000],
        [2, 5_000],
        [3, 6_000]
      ]
    )
  })
})
