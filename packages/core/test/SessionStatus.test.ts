import { assert, describe, it } from "@effect/vitest"
import { type SessionStatus, type StatusFacts, statusOf } from "../src/SessionStatus.ts"

const quiet: StatusFacts = {
  lifecycle: "open",
  busy: false,
  openRequests: 0,
  linked: true,
  exitCode: null,
  signal: null
}

const table: ReadonlyArray<readonly [when: string, facts: Partial<StatusFacts>, status: SessionStatus]> = [
  ["it was made and not opened", { lifecycle: "created" }, "idle"],
  ["it is being opened", { lifecycle: "opening" }, "working"],
  ["it is open and waits for a prompt", {}, "idle"],
  ["it is open and a turn or a command runs", { busy: true }, "working"],
  ["a permission or a question waits", { busy: true, openRequests: 1 }, "needs_you"],
  ["a question waits although nothing runs", { openRequests: 2 }, "needs_you"],
  ["its link is down, whatever it did last", { busy: true, openRequests: 1, linked: false }, "offline"],
  ["it is being put to rest", { lifecycle: "suspending" }, "working"],
  ["it rests", { lifecycle: "suspended" }, "offline"],
  ["it was lost and is about to be opened again", { lifecycle: "lost", busy: true }, "offline"],
  ["it is being closed", { lifecycle: "closing", openRequests: 1 }, "working"],
  ["it was closed", { lifecycle: "closed" }, "done"],
  ["its program ended well", { lifecycle: "closed", exitCode: 0 }, "done"],
  ["its program ended with an error", { lifecycle: "closed", exitCode: 1 }, "failed"],
  ["its program was killed", { lifecycle: "closed", exitCode: 0, signal: "SIGKILL" }, "failed"],
  ["it could not be opened", { lifecycle: "failed" }, "failed"],
  ["a link that is down when it ended says nothing", { lifecycle: "closed", linked: false }, "done"]
]

describe("The status that a person sees", () => {
  for (const [when, facts, status] of table) {
    it(`is ${status} when ${when}`, () => {
      assert.strictEqual(statusOf({ ...quiet, ...facts }), status)
    })
  }
})
