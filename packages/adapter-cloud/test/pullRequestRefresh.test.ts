/** What has become of pull requests, asked of a local counterpart of GitHub. */
import { assert, describe, it } from "@effect/vitest"
import { type Artifact, emptyState, makeSessionId, type SessionState } from "@holdfast/core"
import { forgeOf, tokenCredentials } from "@holdfast/git"
import { Deferred, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { gitHubServer } from "../../git/test/support/gitHubServer.ts"
import { makePullRequestRefresher, pullRequestArtifactId } from "../src/PullRequestRefresh.ts"

const page = "https://github.com/acme/app"
const minute = 60_000

/** A session that has opened one pull request, and its forge. */
const setUp = Effect.gen(function* () {
  const gitHub = yield* Effect.promise(() => gitHubServer("acme/app", "token", ["main", "work"]))
  const sessionId = makeSessionId()
  const forge = forgeOf(page, {
    sessionId,
    broker: tokenCredentials({ [page]: "token" }),
    gitHub: { "https://github.com": gitHub.url }
  })!
  const rest = { body: null, draft: false, state: "open", merged_at: null, head: "work", base: "main" } as const
  gitHub.pulls.push({ number: 1, title: "Do it", ...rest })
  const refresher = makePullRequestRefresher(minute)
  let state: SessionState = emptyState(sessionId)
  const log = (number: number, artifact: Artifact) => {
    state = { ...state, artifacts: { ...state.artifacts, [pullRequestArtifactId(number)]: artifact } }
  }
  log(1, { kind: "pull_request", title: "#1 Do it", url: `${page}/pull/1`, state: "open" })
  /** Asks, and stores what differs, as the runtime does; gives the states that are new, and when to come again. */
  const refresh = (isRepeat = false) =>
    Effect.map(
      Effect.suspend(() => refresher.refresh(state, forge, isRepeat)),
      ({ againMs, artifacts }) => {
        for (const { artifact, artifactId } of artifacts) log(Number(artifactId.split("-").at(-1)), artifact)
        return [artifacts.map(({ artifact }) => artifact.state), againMs] as const
      }
    )
  return { gitHub, forge, refresher, refresh, sessionId, log, rest }
})

describe("what has become of a pull request", () => {
  it.effect("is said once for each change, from outside as well, until it is merged", () =>
    Effect.gen(function* () {
      const { gitHub, refresh } = yield* setUp
      const [pull] = gitHub.pulls
      assert.deepStrictEqual(yield* refresh(), [[], minute])
      for (const [change, state] of [
        [{ draft: true }, "draft"],
        [{ draft: false }, "open"],
        [{ title: "Do all of it" }, "open"]
      ] as const) {
        Object.assign(pull!, change)
        yield* TestClock.adjust(minute)
        assert.deepStrictEqual(yield* refresh(true), [[state], minute])
        yield* TestClock.adjust(minute)
        assert.deepStrictEqual(yield* refresh(true), [[], minute])
      }
      Object.assign(pull!, { state: "closed", merged_at: "2026-01-01T00:00:00Z" })
      yield* TestClock.adjust(minute)
      assert.deepStrictEqual(yield* refresh(true), [["merged"], undefined])
      const asked = gitHub.requests.length
      yield* TestClock.adjust(minute)
      assert.deepStrictEqual(yield* refresh(), [[], undefined])
      assert.lengthOf(gitHub.requests, asked)
    })
  )

  it.effect("costs nothing of the limit as long as it is the same", () =>
    Effect.gen(function* () {
      const { gitHub, refresh } = yield* setUp
      for (let times = 0; times < 20; times++) {
        yield* refresh(times > 0)
        yield* TestClock.adjust(minute)
      }
      assert.lengthOf(gitHub.requests, 20)
      assert.strictEqual(gitHub.spent(), 1)
    })
  )

  it.effect("is asked no oftener than every 10 s, however many look", () =>
    Effect.gen(function* () {
      const { gitHub, refresh } = yield* setUp
      yield* refresh()
      gitHub.pulls[0]!.state = "closed"
      assert.deepStrictEqual(yield* refresh(), [[], 10_000])
      yield* TestClock.adjust(4_000)
      const all = yield* Effect.all([refresh(), refresh(), refresh()], { concurrency: "unbounded" })
      assert.deepStrictEqual(all[0], [[], 6_000])
      assert.lengthOf(gitHub.requests, 1)
      yield* TestClock.adjust(6_000)
      assert.deepStrictEqual(yield* refresh(), [["closed"], undefined])
    })
  )

  it.effect("that was closed is asked again by who comes to look: it may be open again", () =>
    Effect.gen(function* () {
      const { gitHub, log, refresh } = yield* setUp
      log(1, { kind: "pull_request", title: "#1 Do it", url: `${page}/pull/1`, state: "closed" })
      assert.deepStrictEqual(yield* refresh(true), [[], undefined])
      assert.lengthOf(gitHub.requests, 0)
      assert.deepStrictEqual(yield* refresh(), [["open"], minute])
    })
  )

  it.effect("waits for as long as a limit says, and is said after", () =>
    Effect.gen(function* () {
      const { gitHub, refresh } = yield* setUp
      gitHub.answerOnce({ status: 403, headers: { "retry-after": "600" }, body: '{"message":"secondary rate limit"}' })
      gitHub.pulls[0]!.state = "closed"
      assert.deepStrictEqual(yield* refresh(), [[], 600_000])
      yield* TestClock.adjust(599_000)
      assert.deepStrictEqual(yield* refresh(), [[], 1_000])
      assert.lengthOf(gitHub.requests, 1)
      yield* TestClock.adjust(1_000)
      assert.deepStrictEqual(yield* refresh(true), [["closed"], undefined])
      // A time that makes no sense holds nothing up for ever.
      const other = yield* setUp
      other.gitHub.answerOnce({ status: 429, headers: { "retry-after": "999999999999" } })
      assert.deepStrictEqual(yield* other.refresh(), [[], 60 * minute])
    })
  )

  it.effect("is asked more and more seldom of a forge that fails, and goes on once that is back", () =>
    Effect.gen(function* () {
      const { gitHub, refresh } = yield* setUp
      for (const wait of [2, 4, 8, 15, 15]) {
        gitHub.answerOnce({ status: 502, body: "<html>" })
        assert.deepStrictEqual(yield* refresh(true), [[], wait * minute])
        yield* TestClock.adjust(wait * minute)
      }
      assert.deepStrictEqual(yield* refresh(true), [[], minute])
      yield* TestClock.adjust(minute)
      // A token that is not taken any more is not helped by asking.
      gitHub.answerOnce({ status: 401, body: '{"message":"Bad credentials"}' })
      assert.deepStrictEqual(yield* refresh(true), [[], 15 * minute])
    })
  )

  it.effect("is not asked while another one is being opened, so that an older answer never comes last", () =>
    Effect.gen(function* () {
      const { gitHub, log, refresh, refresher, rest, sessionId } = yield* setUp
      const stored = yield* Deferred.make<void>()
      const opening = Effect.sync(() => {
        gitHub.pulls.push({ number: 2, title: "More", ...rest })
        return 2
      })
      const opened = yield* Effect.forkChild(refresher.changing(sessionId, opening, Deferred.await(stored)), {
        startImmediately: true
      })
      const asked = yield* Effect.forkChild(refresh(), { startImmediately: true })
      assert.lengthOf(gitHub.requests, 0)
      log(2, { kind: "pull_request", title: "#2 More", url: `${page}/pull/2`, state: "open" })
      yield* Deferred.succeed(stored, undefined)
      assert.strictEqual(yield* Fiber.join(opened), 2)
      assert.deepStrictEqual(yield* Fiber.join(asked), [[], minute])
    })
  )

  it.effect("is asked of the newest ones only, and of none that somebody else has added", () =>
    Effect.gen(function* () {
      const { gitHub, log, refresh, rest } = yield* setUp
      for (let number = 2; number <= 12; number++) {
        gitHub.pulls.push({ number, title: "More", ...rest })
        log(number, { kind: "pull_request", title: `#${number} More`, url: `${page}/pull/${number}`, state: "open" })
      }
      yield* refresh()
      assert.deepStrictEqual(
        gitHub.requests.map(({ path }) => Number(path.split("/").at(-1))),
        [12, 11, 10, 9, 8, 7, 6, 5]
      )
    })
  )
})
