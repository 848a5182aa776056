/** Sessions in sandboxes as a backend, and the gateway that lets their bridges in. */
import {
  type Backend,
  type BackendLost,
  type BackendSession,
  type OpenRequest,
  type SandboxState,
  type SessionId,
  type SessionLookup,
  type SessionState,
  type SpecInvalid
} from "@holdfast/core"
import { type BridgeGateway, BridgeRefused, type SandboxProvider, SandboxProviderError } from "@holdfast/core/cloud"
import { noCredentials } from "@holdfast/git"
import { Cause, Deferred, Effect, Exit, FiberSet, Option, Scope } from "effect"
import { makeBreakerCell } from "./BreakerCell.ts"
import { defaultBridgeQuotas } from "./BridgeQuota.ts"
import type { CloudOptions, InnerBackend } from "./CloudOptions.ts"
import { type CloudGeneration, makeCloudGeneration } from "./CloudGeneration.ts"
import { cloudCapabilities, makeCloudSession } from "./CloudSession.ts"
import { type CloudSecrets, makeCloudCheck, type RecordedSpec } from "./CloudSpec.ts"
import { makeBundleCarrier } from "./handoff/BundleCarrier.ts"
import { acceptBundle } from "./handoff/cloudHandoff.ts"
import { defaultSandboxPolicy, longestOpening } from "./lifecycle/SandboxLifecycle.ts"
import type { SandboxPolicy } from "./lifecycle/LifecycleTypes.ts"
import { sweepOrphans } from "./OrphanSweep.ts"
import { makePullRequests } from "./PullRequests.ts"
import { makeSandboxOwner, type SandboxOwner } from "./SandboxOwner.ts"
import { parseSandboxToken, sameHash } from "./SandboxTokens.ts"

/** How often sandboxes are looked for that nobody owns. */
const sweepEveryMs = 10 * 60_000

/** How long a broker of credentials may take. */
const lendTimeoutMs = 30_000

/** How long the release of the backend waits for sandboxes to be stored and ended. */
const releaseTimeoutMs = 60_000

/** How long the end of a session that was never open waits for the end of its sandbox. */
const closeTimeoutMs = 30_000

/** How long looking at a token may take. */
const admitTimeoutMs = 5_000

/** Beyond the silence that a sandbox is allowed, a command may take this long: a push of a large repository. */
const performMs = 5 * 60_000

/** Sessions whose last sandbox is remembered, for hosts whose log does not. The oldest is forgotten. */
const maxRemembered = 10_000

/** A cloud backend, and what lets its bridges in: give it to the endpoint that takes their connections. */
export interface Cloud {
  readonly backend: Backend
  readonly gateway: BridgeGateway
}

/**
 * Makes a cloud backend. The scope is the host's: closing it leaves sandboxes as they are, for the next process of the host;
 * `backend.release` ends what no runtime left running on purpose.
 *
 * Wrong options throw a `TypeError` that names the option.
 */
export const makeCloud = (options: CloudOptions): Effect.Effect<Cloud, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { name, providers, inner, policy, quotas } = readOptions(options)
    // A scope of its own: a runtime that the host makes later in the same one ends its sessions first, and their sandboxes with them.
    const scope = yield* Effect.acquireRelease(Scope.make(), (own) => Scope.close(own, Exit.void))
    const runBackground = yield* FiberSet.makeRuntime<never, void, never>()
    const background = (effect: Effect.Effect<void>) => void runBackground(effect)
    const { check, recorded } = makeCloudCheck(name, providers, inner)
    const breakers = new Map([...providers.keys()].map((each) => [each, makeBreakerCell()]))
    const pullRequests = makePullRequests(
      options.forge,
      ({ spec }) =>
        recorded(spec).pipe(
          Effect.map((known) => known.spec.workspace?.repository),
          Effect.orElseSucceed(() => undefined)
        ),
      options.pullRequestPollMs
    )
    const broker = options.credentials ?? noCredentials
    const controlPlane =
      typeof options.controlPlane === "string" ? Effect.succeed(options.controlPlane) : options.controlPlane
    const owners = new Map<SessionId, SandboxOwner>()
    /** Of sessions that are about to come from elsewhere, from another sandbox as well: one each. */
    const arriving = new Map<SessionId, SandboxOwner>()
    /** All that look after something: those of sessions that went away, too. */
    const running = new Set<SandboxOwner>()
    const secretsOf = new Map<SessionId, CloudSecrets>()
    const remembered = new Map<SessionId, { readonly sandbox: SandboxState; readonly mirrored: number }>()
    let sessions: SessionLookup | undefined

    const stateOf = (sessionId: SessionId): Effect.Effect<SessionState | undefined> =>
      sessions === undefined
        ? Effect.succeed(undefined)
        : sessions
            .state(sessionId)
            .pipe(
              Effect.catch((error) =>
                Effect.as(Effect.logWarning("the state of a cloud session could not be read", error), undefined)
              )
            )

    const remember = (owner: SandboxOwner) => {
      remembered.delete(owner.sessionId)
      remembered.set(owner.sessionId, { sandbox: owner.known(), mirrored: owner.mirrored() })
      const oldest = remembered.size > maxRemembered ? remembered.keys().next().value : undefined
      if (oldest !== undefined) remembered.delete(oldest)
    }

    /** Values of variables: kept since the session was created, or asked for. */
    const environmentOf = (generation: CloudGeneration) =>
      Effect.gen(function* () {
        const { name: backend, request, secrets, spec } = generation
        const names = spec.environment ?? []
        const kept = secrets?.environment ?? {}
        const unknown = names.filter((each) => kept[each] === undefined)
        const asked =
          unknown.length === 0 || options.environment === undefined
            ? {}
            : yield* options.environment(unknown, request.sessionId)
        const values: Record<string, string> = { ...bridgeVariables(options) }
        for (const each of names) {
          const value = kept[each] ?? asked[each]
          if (value === undefined) {
            return yield* new SandboxProviderError({
              provider: spec.provider,
              operation: "create",
              failure: "invalid",
              detail:
                `the value of environment.${each} is not in the log, and only the process that created the session knew it: ` +
                `give the ${backend} backend the option environment, or create a new session`,
              retryable: false
            })
          }
          values[each] = value
        }
        return values
      })

    const makeOwner = (
      sessionId: SessionId,
      provider: SandboxProvider,
      spec: RecordedSpec,
      backend: InnerBackend,
      mirrored: number
    ) =>
      Effect.gen(function* () {
        const owner = yield* makeSandboxOwner({
          sessionId,
          provider,
          owner: options.owner,
          policy: policyOf(policy, provider, spec, backend),
          quotas,
          breaker: breakers.get(provider.name)!,
          controlPlane,
          dialSecret: options.dial?.secret,
          lend: (operation, repository) =>
            spec.workspace?.repository !== repository
              ? Effect.succeed(null)
              : broker.credentials({ sessionId, operation, repository }).pipe(
                  Effect.timeoutOrElse({ duration: lendTimeoutMs, orElse: () => Effect.succeed(null) }),
                  Effect.catchCause((cause) =>
                    Effect.as(Effect.logWarning("credentials for a sandbox could not be had", cause), null)
                  )
                ),
          environment: environmentOf,
          background,
          mirrored
        })
        running.add(owner)
        yield* owner.run.pipe(
          Effect.ensuring(
            Effect.sync(() => {
              running.delete(owner)
              if (arriving.get(sessionId) === owner) arriving.delete(sessionId)
              if (owners.get(sessionId) !== owner) return
              remember(owner)
              owners.delete(sessionId)
            })
          ),
          Effect.forkIn(scope)
        )
        return owner
      })

    const open = Effect.fn("cloud.open")(function* (
      request: OpenRequest
    ): Effect.fn.Return<BackendSession, BackendLost | SpecInvalid, Scope.Scope> {
      const { backend, provider, spec } = yield* recorded(request.spec)
      const { generation: number, sessionId } = request
      const isArriving = request.bundle !== undefined
      if (request.secrets !== undefined && !isArriving) secretsOf.set(sessionId, request.secrets as CloudSecrets)
      const secrets = isArriving ? (request.secrets as CloudSecrets | undefined) : secretsOf.get(sessionId)
      const state = isArriving ? undefined : yield* stateOf(sessionId)
      const before = isArriving ? undefined : remembered.get(sessionId)
      // What was copied and not stored is told once more to whoever reattaches.
      const mirrored = request.reattach?.mirrored ?? Math.max(state?.mirrored ?? 0, before?.mirrored ?? 0)
      let detached = false
      let owner: SandboxOwner | undefined
      const generation: CloudGeneration = makeCloudGeneration({
        name,
        request,
        inner: backend,
        spec,
        secrets,
        onPassed: (through, weight) => owner?.passed(through, weight)
      })
      const known = request.sandbox ?? before?.sandbox ?? null
      const opened = {
        type: "opened",
        generation: number,
        known,
        ...(state === undefined ? {} : { region: state.chart.sandbox }),
        ...(request.reattach === undefined ? {} : { reattach: true })
      } as const
      const start = Effect.gen(function* () {
        const placed = isArriving ? arriving : owners
        const make = (from: number) =>
          Effect.map(makeOwner(sessionId, provider, spec, backend, from), (made) => {
            placed.set(sessionId, made)
            return made
          })
        const current = isArriving ? undefined : owners.get(sessionId)
        owner = current ?? (yield* make(mirrored))
        if (!owner.begin(generation, opened)) {
          owner = yield* make(Math.max(mirrored, owner.mirrored()))
          owner.begin(generation, opened)
        }
        return owner
      })
      let hasArrived = !isArriving
      const arrive = () => {
        if (hasArrived || owner === undefined) return
        hasArrived = true
        arriving.delete(sessionId)
        owners.set(sessionId, owner)
        remembered.delete(sessionId)
        if (secrets !== undefined) secretsOf.set(sessionId, secrets)
      }
      const serving = yield* Effect.acquireRelease(start, (each, exit) =>
        Effect.gen(function* () {
          // Nobody could be told to close: the opening was given up, and the log says why.
          const isGivenUp = !generation.wasOpen() && !Exit.isSuccess(exit)
          if (isGivenUp && hasArrived && isClosing(yield* stateOf(sessionId))) generation.beginClosing()
          // It goes on where it was.
          if (!hasArrived && !detached) generation.beginClosing()
          // Where the runtime stops during a reattach, what it looked for stays as it is.
          const isStopped = isGivenUp && Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)
          const leaves = detached || (request.reattach !== undefined && isStopped && !generation.isClosing())
          yield* each.release(generation, leaves)
          if (!generation.isClosing()) return
          // It may have gone to another sandbox meanwhile.
          if (secretsOf.get(sessionId) === secrets) secretsOf.delete(sessionId)
          if (isGivenUp || !hasArrived) yield* Effect.timeoutOption(each.over, closeTimeoutMs)
        })
      )
      const how = yield* Deferred.await(generation.opened)
      return makeCloudSession({
        owner: serving,
        generation,
        opened: how,
        snapshots: provider.capabilities.snapshot,
        pullRequests,
        carrier: makeBundleCarrier(provider),
        onRead: arrive,
        onDetach: () => {
          detached = true
        }
      })
    })

    const admit: BridgeGateway["admit"] = (text) =>
      Effect.gen(function* () {
        const refuse = (why: BridgeRefused["why"], detail: string) => new BridgeRefused({ why, detail })
        const token = parseSandboxToken(text)
        if (token === undefined) return yield* refuse("unknown", "there is no such token")
        const [owner, other] = [owners.get(token.sessionId), arriving.get(token.sessionId)]
        if (other !== undefined) {
          const admitted = yield* Effect.option(other.admit(token))
          if (Option.isSome(admitted)) return admitted.value
        }
        if (owner !== undefined) return yield* owner.admit(token)
        if (sessions === undefined) return yield* refuse("not_ready", "the host is only starting")
        const state = yield* sessions
          .state(token.sessionId)
          .pipe(Effect.mapError(() => refuse("not_ready", "the log cannot be read just now")))
        const known = state?.sandbox
        if (state === undefined || known === null || known === undefined || isEnded(state)) {
          return yield* refuse("gone", "the session is over")
        }
        if (known.generation !== token.generation) {
          return yield* refuse("gone", `generation ${token.generation} of the sandbox is over`)
        }
        if (known.tokenHash === null) return yield* refuse("gone", "its sandbox was given up")
        if (!sameHash(known.tokenHash, token.hash)) return yield* refuse("unknown", "there is no such token")
        return yield* refuse("not_ready", "the session is not taken up yet")
      }).pipe(
        Effect.timeoutOrElse({
          duration: admitTimeoutMs,
          orElse: () => Effect.fail(new BridgeRefused({ why: "not_ready", detail: "the log does not answer" }))
        })
      )

    const sweep = (lookup: SessionLookup) =>
      Effect.forEach(
        providers.values(),
        (provider) =>
          sweepOrphans({
            provider,
            owner: options.owner,
            sessions: lookup,
            isOwned: (sessionId) => owners.has(sessionId) || arriving.has(sessionId)
          }),
        { concurrency: "unbounded", discard: true }
      )

    const backend: Backend = {
      name,
      capabilities: widest(inner.values(), providers.values()),
      places: [...providers.keys()],
      check,
      open,
      unpack: (request) => Effect.flatMap(recorded(request.spec), ({ spec }) => acceptBundle(name, spec, request)),
      refresh: pullRequests.refresh,
      openTimeoutMs: longestOpening(policy),
      performTimeoutMs: policy.staleAfterMs + policy.heartbeatMs + performMs,
      start: (lookup) =>
        Effect.gen(function* () {
          sessions = lookup
          yield* Effect.addFinalizer(() =>
            Effect.sync(() => {
              sessions = undefined
            })
          )
          yield* Effect.forkScoped(Effect.forever(Effect.andThen(sweep(lookup), Effect.sleep(sweepEveryMs))))
        }),
      release: Effect.gen(function* () {
        const left = [...running]
        for (const owner of left) owner.feed({ type: "suspend" })
        yield* Effect.forEach(left, (owner) => owner.over, { concurrency: "unbounded", discard: true }).pipe(
          Effect.timeoutOrElse({
            duration: releaseTimeoutMs,
            orElse: () => Effect.logWarning("some sandboxes were not ended in time: the next start looks after them")
          })
        )
        yield* Effect.forEach(providers.values(), (provider) => provider.release ?? Effect.void, { discard: true })
      })
    }
    return { backend, gateway: { admit } }
  })

/** A cloud backend for hosts that do not use Effect. */
export interface PlainCloud extends Cloud {
  /** Leaves sandboxes as they are, and stops looking after them. Idempotent. */
  readonly close: () => Promise<void>
  readonly [Symbol.asyncDispose]: () => Promise<void>
}

/** The same as {@link makeCloud} without a scope: the host closes it after its runtime. */
export const createCloud = async (options: CloudOptions): Promise<PlainCloud> => {
  const scope = Scope.makeUnsafe()
  const cloud = await Effect.runPromise(Scope.provide(makeCloud(options), scope))
  const close = () => Effect.runPromise(Scope.close(scope, Exit.void))
  return { ...cloud, close, [Symbol.asyncDispose]: close }
}

const isClosing = (state: SessionState | undefined): boolean =>
  state !== undefined && (state.chart.lifecycle === "closing" || state.chart.lifecycle === "closed")

const isEnded = ({ chart }: SessionState): boolean => chart.lifecycle === "closed" || chart.lifecycle === "suspended"

/** What is idle in it, and what the provider can do, changes the policy of a session. */
const policyOf = (
  policy: SandboxPolicy,
  provider: SandboxProvider,
  spec: RecordedSpec,
  inner: InnerBackend
): SandboxPolicy => {
  const own = spec.hibernateAfterMs ?? (inner.capabilities.resume ? undefined : 0)
  return {
    ...policy,
    snapshots: policy.snapshots && provider.capabilities.snapshot,
    ...(own === undefined
      ? {}
      : {
          hibernateAfterMs: own,
          hibernateWatchedAfterMs: own === 0 ? 0 : Math.max(own, policy.hibernateWatchedAfterMs)
        })
  }
}

/** The most that any of the inner backends can do. */
const widest = (inner: Iterable<InnerBackend>, providers: Iterable<SandboxProvider>): Backend["capabilities"] => {
  const all = [...inner].map(({ capabilities }) => capabilities)
  const any: Record<string, boolean> = {}
  for (const each of all) for (const [name, has] of Object.entries(each)) any[name] = any[name] === true || has === true
  const snapshots = [...providers].some(({ capabilities }) => capabilities.snapshot)
  return cloudCapabilities(any as unknown as Backend["capabilities"], { snapshots, workspace: true })
}

const bridgeVariables = ({ bridge }: CloudOptions): Record<string, string> => ({
  ...(bridge?.logBytes === undefined ? {} : { HOLDFAST_BRIDGE_LOG_BYTES: String(bridge.logBytes) }),
  ...(bridge?.lifetimeMs === undefined ? {} : { HOLDFAST_BRIDGE_LIFETIME_MS: String(bridge.lifetimeMs) })
})

/** Options are the host's own code: what is wrong with them is thrown at once, with the option's name. */
const readOptions = (options: CloudOptions) => {
  const expectOption = (isRight: boolean, option: string, expected: string) => {
    if (!isRight) throw new TypeError(`makeCloud: ${option} is not valid: expected ${expected}`)
  }
  const byName = <A extends { readonly name: string }>(option: string, all: ReadonlyArray<A>) => {
    const map = new Map(all.map((each) => [each.name, each]))
    expectOption(map.size > 0, option, "at least one")
    expectOption(map.size === all.length, option, "names that differ")
    return map as ReadonlyMap<string, A>
  }
  expectOption(/^[A-Za-z0-9._-]{1,64}$/.test(options.owner), "owner", "1 to 64 characters of A-Za-z0-9._-")
  expectOption(
    options.dial === undefined || options.dial.secret.length >= 32,
    "dial.secret",
    "at least 32 characters that stay the same"
  )
  for (const [option, value] of [...Object.entries(options.policy ?? {}), ...Object.entries(options.quotas ?? {})]) {
    expectOption(typeof value !== "number" || (Number.isFinite(value) && value >= 0), option, "a number from 0 on")
  }
  const { pullRequestPollMs } = options
  expectOption(
    pullRequestPollMs === undefined || (Number.isFinite(pullRequestPollMs) && pullRequestPollMs >= 1),
    "pullRequestPollMs",
    "a number from 1 on"
  )
  return {
    name: options.name ?? "cloud",
    providers: byName("providers", options.providers),
    inner: byName("inner", options.inner),
    policy: { ...defaultSandboxPolicy, ...options.policy },
    quotas: { ...defaultBridgeQuotas, ...options.quotas }
  }
}
