/** What the conformance suite of sandbox providers is given, and the small tools that its tests share. */
import { makeSessionId } from "@holdfast/core"
import type {
  ProviderFailure,
  SandboxExec,
  SandboxInfo,
  SandboxLimits,
  SandboxProvider,
  SandboxProviderError,
  SandboxRequest
} from "@holdfast/core/cloud"
import { Effect, Exit, Result, Scope } from "effect"
import { randomUUID } from "node:crypto"
import { afterAll, expect, it } from "vitest"

/** Makes the provider under test, whose sandboxes run {@link sandboxStandIn} as their program. */
export type MakeSandboxProvider = Effect.Effect<SandboxProvider, unknown, Scope.Scope>

/** How a provider is tested. */
export interface SandboxProviderSuiteOptions {
  /**
   * What is still there, looked for past the provider: processes, containers, folders of sandboxes, each in a few words.
   * Snapshots do not count. Asked when every sandbox of a test was destroyed, so nothing may be found.
   */
  readonly remains: Effect.Effect<ReadonlyArray<string>, unknown>
  /** Goes into every request. Default: nothing beside the least. */
  readonly request?: Partial<Pick<SandboxRequest, "image" | "limits" | "controlPlane">>
  /** Requests that the provider must refuse for a reason of its own: an image that does not exist, for one. */
  readonly refused?: ReadonlyArray<{
    readonly what: string
    readonly request: Partial<SandboxRequest>
    readonly failure: ProviderFailure
  }>
  /**
   * What fetches a URL inside a sandbox and prints the body; then it is tested that a control plane on this machine is
   * reached from sandboxes with a network. Where that listens for them to reach it is `host`, default 127.0.0.1.
   */
  readonly fetch?: { readonly host?: string; readonly exec: (url: string) => SandboxExec }
  /** What its capabilities say; tests are registered for it before there is a provider to ask. */
  readonly claims: {
    readonly snapshot: boolean
    readonly limits: ReadonlyArray<keyof SandboxLimits>
  }
  /** How many sandboxes run side by side. Default 10. */
  readonly sideBySide?: number
  /** Milliseconds that a sandbox may take to start or stop. Default 30,000. */
  readonly deadline?: number
}

/** What a test has in hand. */
export interface SandboxBench {
  readonly provider: SandboxProvider
  readonly options: SandboxProviderSuiteOptions
  /** An owner of this test's own. */
  readonly owner: string
  /** A request of this owner for a new session, changed as told. */
  readonly request: (changes?: Partial<SandboxRequest>) => SandboxRequest
  /** Makes a sandbox, which is destroyed when the test is over. */
  readonly create: (changes?: Partial<SandboxRequest>) => Effect.Effect<SandboxInfo, SandboxProviderError>
  /** Makes a sandbox and waits until its program is there. */
  readonly started: (changes?: Partial<SandboxRequest>) => Effect.Effect<SandboxInfo, SandboxProviderError>
  /** Waits until the program has been started so many times in this sandbox and those that it was restored from. */
  readonly awaitStart: (sandboxId: string, times?: number) => Effect.Effect<void, SandboxProviderError>
  /** Runs a script of `/bin/sh`. */
  readonly sh: (
    sandboxId: string,
    script: string,
    run?: Partial<SandboxExec>
  ) => Effect.Effect<{ readonly code: number | null; readonly out: string; readonly err: string }, SandboxProviderError>
  /** The environment that the program was started with. */
  readonly environment: (sandboxId: string) => Effect.Effect<Readonly<Record<string, string>>, SandboxProviderError>
  /** A value of the program's environment. */
  readonly place: (
    sandboxId: string,
    name: "HOME" | "HOLDFAST_WORKSPACE" | "HOLDFAST_BRIDGE_DATA"
  ) => Effect.Effect<string, SandboxProviderError>
}

/** Registers a test. Whatever sandboxes and snapshots it made are gone after it. */
export type SandboxTest = (
  name: string,
  body: (bench: SandboxBench) => Effect.Effect<void, unknown, Scope.Scope>
) => void

/** Registers a test in a sandbox that is the same for all of a section, with a clean workspace for each. */
export type SharedSandboxTest = (
  name: string,
  body: (bench: SandboxBench, sandboxId: string) => Effect.Effect<void, unknown, Scope.Scope>
) => void

/** A provider for all tests of a suite, and how they are registered. */
export const sandboxBenches = (make: MakeSandboxProvider, options: SandboxProviderSuiteOptions) => {
  const scope = Scope.makeUnsafe()
  let provider: Promise<SandboxProvider> | undefined
  const open = () => (provider ??= Effect.runPromise(Scope.provide(make, scope)))
  afterAll(async () => {
    const made = await provider
    if (made?.release !== undefined) await Effect.runPromise(made.release)
    await Effect.runPromise(Scope.close(scope, Exit.void))
  })
  const test: SandboxTest = (name, body) =>
    it(name, async () => {
      const bench = makeBench(await open(), options)
      const clean = Effect.gen(function* () {
        const { owner, provider } = bench
        for (const { sandboxId } of yield* provider.list(owner)) yield* provider.destroy(sandboxId)
        if (provider.capabilities.snapshot) {
          for (const { snapshotId } of yield* provider.snapshots(owner)) yield* provider.removeSnapshot(snapshotId)
        }
      })
      await Effect.runPromise(Effect.ensuring(Effect.scoped(body(bench)), Effect.orDie(clean)))
      expect(await Effect.runPromise(options.remains), "nothing is left of the test's sandboxes").toEqual([])
    })
  /** Within a `describe` of its own. */
  const sharedTest = (): SharedSandboxTest => {
    let made: Promise<{ readonly bench: SandboxBench; readonly sandboxId: string }> | undefined
    const share = async () => {
      const bench = makeBench(await open(), options)
      return { bench, sandboxId: (await Effect.runPromise(bench.started())).sandboxId }
    }
    afterAll(async () => {
      if (made === undefined) return
      const { bench, sandboxId } = await made
      await Effect.runPromise(bench.provider.destroy(sandboxId))
      expect(await Effect.runPromise(options.remains), "nothing is left of the shared sandbox").toEqual([])
    })
    return (name, body) =>
      it(name, async () => {
        const { bench, sandboxId } = await (made ??= share())
        const clean = bench.sh(sandboxId, "find . -mindepth 1 -maxdepth 1 ! -name .stand-in -exec rm -rf {} +")
        await Effect.runPromise(Effect.ensuring(Effect.scoped(body(bench, sandboxId)), Effect.orDie(clean)))
      })
  }
  return { test, sharedTest }
}

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

const makeBench = (provider: SandboxProvider, options: SandboxProviderSuiteOptions): SandboxBench => {
  const owner = `suite-${randomUUID()}`
  const { deadline = 30_000 } = options
  const request = (changes: Partial<SandboxRequest> = {}): SandboxRequest => ({
    owner,
    sessionId: makeSessionId(),
    generation: 1,
    environment: {},
    controlPlane: "http://127.0.0.1:9",
    ...options.request,
    ...changes
  })
  const create = (changes?: Partial<SandboxRequest>) => provider.create(request(changes))
  const sh: SandboxBench["sh"] = (sandboxId, script, run = {}) =>
    Effect.map(
      provider.exec(sandboxId, { command: "/bin/sh", args: ["-c", script], ...run }),
      ({ exitCode, stderr, stdout }) => ({ code: exitCode, out: text(stdout), err: text(stderr) })
    )
  const awaitStart: SandboxBench["awaitStart"] = Effect.fnUntraced(function* (sandboxId, times = 1) {
    const count = `[ -e .stand-in/starts ] && [ "$(wc -l <.stand-in/starts)" -ge ${times} ]`
    const { code } = yield* sh(sandboxId, `until ${count}; do sleep 0.02; done`, { timeoutMs: deadline })
    expect(code, `the program starts within ${deadline} ms`).toBe(0)
  })
  const environment = Effect.fnUntraced(function* (sandboxId: string) {
    const { out } = yield* sh(sandboxId, "cat .stand-in/environment")
    return Object.fromEntries(
      out
        .split("\0")
        .filter((entry) => entry.includes("="))
        .map((entry) => [entry.slice(0, entry.indexOf("=")), entry.slice(entry.indexOf("=") + 1)])
    )
  })
  return {
    provider,
    options,
    owner,
    request,
    create,
    started: (changes) => Effect.tap(create(changes), ({ sandboxId }) => awaitStart(sandboxId)),
    awaitStart,
    sh,
    environment,
    place: (sandboxId, name) => Effect.map(environment(sandboxId), (all) => all[name]!)
  }
}

/** Waits until a sandbox is in a condition; the contract has no event for it. */
export const untilCondition = (bench: SandboxBench, sandboxId: string, wanted: string) =>
  bench.provider.status(sandboxId).pipe(
    Effect.delay(20),
    Effect.repeat({ until: (condition) => condition === wanted }),
    Effect.timeoutOrElse({
      duration: bench.options.deadline ?? 30_000,
      orElse: () => Effect.die(new Error(`the sandbox did not become ${wanted}`))
    })
  )

/** The error of a call that has to fail, checked for what every error must have. */
export const refusal = <A>(call: Effect.Effect<A, SandboxProviderError>, failure: ProviderFailure) =>
  Effect.gen(function* () {
    const exit = yield* Effect.result(call)
    if (Result.isSuccess(exit)) throw new Error(`it had to fail as ${failure}, and succeeded`)
    const error = exit.failure
    expect(error._tag).toBe("SandboxProviderError")
    expect(error.failure, `it fails: ${error.detail}`).toBe(failure)
    expect(error.retryable, `${failure} can${error.retryable ? "" : "not"} succeed later`).toBe(
      failure === "rate_limited" || failure === "timeout" || failure === "unavailable"
    )
    expect(error.detail, "an error says what happened").not.toBe("")
    return error
  })
