/**
 * The owner of one session's sandbox: one fiber, one mailbox, one way for everything that happens to it. It tells the lifecycle
 * what happened and carries out what that asks for. Generations come and go; the sandbox, its token and its link stay.
 */
import { type BackendEvent, note, type SandboxState, type SessionId } from "@holdfast/core"
import {
  type BridgeAdmission,
  BridgeCloseCode,
  type BridgeRefused,
  type SandboxProvider,
  type SandboxProviderError,
  type SandboxRequest
} from "@holdfast/core/cloud"
import { Cause, Clock, Deferred, Effect, Exit, Fiber, FiberSet } from "effect"
import type { BreakerCell } from "./BreakerCell.ts"
import { type BridgeLink, type BridgeLinkListener, makeBridgeLink, type WireCredentials } from "./BridgeLink.ts"
import type { BridgeQuotas } from "./BridgeQuota.ts"
import type { CloudGeneration, Opened } from "./CloudGeneration.ts"
import { decideLifecycle, initialLifecycle, isOver, nextDue } from "./lifecycle/SandboxLifecycle.ts"
import type { LifecycleAction, LifecycleInput, SandboxPolicy } from "./lifecycle/LifecycleTypes.ts"
import { makeBundleCarrier, NotCarried } from "./handoff/BundleCarrier.ts"
import { type Carry, openInner } from "./openInner.ts"
import { makeOwnerMailbox } from "./OwnerMailbox.ts"
import { makeSandboxCalls } from "./SandboxCalls.ts"
import { type Door, makeSandboxDoor } from "./SandboxDoor.ts"
import { makeSandboxWatch } from "./SandboxWatch.ts"
import type { SandboxToken } from "./SandboxTokens.ts"

/** "It lives" and "it is busy" are told this often at most, in milliseconds. */
const quietMs = 1_000

/** Lines about the progress of an opening are told this often at most, in milliseconds. */
const progressMs = 500

/**
 * A sandbox that is held for this long, because its disk or its log is full, is worth a note; sooner where it is asked for a sign
 * of life more often. In milliseconds.
 */
const heldNoteMs = 10_000

/** How long ending an inner generation, or freezing, may take, in milliseconds: longer than adapters need for force. */
const innerTimeoutMs = 25_000

/**
 * Weight of copied events that wait for the log, past which a sandbox is not read any more: twice what one that keeps to the
 * protocol sends without an acknowledgement.
 */
const heldWeight = 16 * 1024 * 1024

/** What an owner is made of. */
export interface SandboxOwnerParts {
  readonly sessionId: SessionId
  readonly provider: SandboxProvider
  /** Whose sandboxes they are. */
  readonly owner: string
  readonly policy: SandboxPolicy
  readonly quotas: BridgeQuotas
  readonly breaker: BreakerCell
  readonly controlPlane: Effect.Effect<string>
  readonly dialSecret: string | undefined
  /** Answers within a bound of its own. */
  readonly lend: (operation: "fetch" | "push", repository: string) => Effect.Effect<WireCredentials>
  /** What the bridge and the programs inside find in their environment. */
  readonly environment: (
    generation: CloudGeneration
  ) => Effect.Effect<Readonly<Record<string, string>>, SandboxProviderError>
  /** For what is tidied up after the owner: it outlives it. */
  readonly background: (effect: Effect.Effect<void>) => void
  /** The last number of the log that was copied. */
  readonly mirrored: number
}

/** The owner. */
export interface SandboxOwner {
  readonly sessionId: SessionId
  /** Serves a generation from now on; false where the sandbox was given up, and another owner is needed. */
  readonly begin: (generation: CloudGeneration, opened: Extract<LifecycleInput, { readonly type: "opened" }>) => boolean
  /** The generation's scope is closed. Completes when what ran of it has ended, or is left running on purpose. */
  readonly release: (generation: CloudGeneration, detached: boolean) => Effect.Effect<void>
  readonly feed: (input: LifecycleInput) => void
  /** Something happens: it is not idle. */
  readonly stir: (busy?: boolean) => void
  /** The log has everything up to this number. */
  readonly passed: (through: number, weight: number) => void
  readonly link: () => BridgeLink | undefined
  /** The provider's name for it; null while there is none. */
  readonly sandboxId: () => string | null
  readonly admit: (token: SandboxToken) => Effect.Effect<BridgeAdmission, BridgeRefused>
  /** Nothing is left to look after. */
  readonly isOver: () => boolean
  /** The sandbox as it was last: what a log that was told everything would know. */
  readonly known: () => SandboxState
  readonly mirrored: () => number
  /** Completes when nothing is left to look after, or nobody looks any more. */
  readonly over: Effect.Effect<void>
  /** Looks after the sandbox until nothing is left of it. */
  readonly run: Effect.Effect<void>
}

/** Makes an owner; nothing happens before it is run. */
export const makeSandboxOwner = (parts: SandboxOwnerParts): Effect.Effect<SandboxOwner> =>
  Effect.map(Clock.Clock, (clock) => {
    const { breaker, policy, provider, sessionId } = parts
    const now = () => clock.currentTimeMillisUnsafe()
    let lifecycle = initialLifecycle()
    let generation: CloudGeneration | undefined
    /** What opening brought, until the lifecycle has taken it in. */
    let opened: Opened | undefined
    /** Made from nothing for the present generation. */
    let isFresh = false
    /** By what its bridge is let in, where it was left running. */
    let detachedFrom: Door | undefined
    let mirrored = parts.mirrored
    let linkReason = ""
    let heardAt = now()
    let lastHeard = Number.NEGATIVE_INFINITY
    let lastStirred = Number.NEGATIVE_INFINITY
    let lastProgress = Number.NEGATIVE_INFINITY
    let busy = false
    let isHeld = false
    let fork: ((effect: Effect.Effect<void>) => Fiber.Fiber<void>) | undefined
    let providerCall: Fiber.Fiber<void> | undefined
    const over = Deferred.makeUnsafe<void>()
    /** Nobody decides anything any more. */
    let isDone = false
    let heldNote: Fiber.Fiber<void> | undefined
    let isHeldNoted = false
    let ending: Fiber.Fiber<void> | undefined

    const mailbox = makeOwnerMailbox(
      () => isOver(lifecycle),
      ({ type }) => parts.background(Effect.logError(`a sandbox has too much to do: ${type} is left out`))
    )
    const feed = (input: LifecycleInput) => mailbox.put({ input })

    const stir = (isBusy = busy) => {
      const at = now()
      if (isBusy === busy && at - lastStirred < quietMs) return
      lastStirred = at
      busy = isBusy
      feed({ type: "active", busy })
    }

    const tell = (event: BackendEvent): Effect.Effect<void> => generation?.tell(event) ?? Effect.void

    const remark = (level: "info" | "warning" | "error", message: string, code?: string) => {
      fork?.(tell(note(level, message, undefined, code) as BackendEvent))
    }

    const door = makeSandboxDoor({
      sessionId,
      dialSecret: parts.dialSecret,
      fork: (effect) => fork?.(effect),
      link: (of, isOurs) => {
        isHeld = false
        return makeBridgeLink({
          sessionId,
          generation: of,
          mirrored,
          heartbeatMs: policy.heartbeatMs,
          quotas: parts.quotas,
          now,
          listener: ears(isOurs)
        })
      }
    })
    const link = () => door.current()?.link

    const calls = makeSandboxCalls(provider, parts.owner, sessionId, (info) => door.found(info.endpoint))

    const watch = makeSandboxWatch({
      policy,
      link,
      sandboxId: () => lifecycle.sandboxId,
      exited: calls.exited,
      feed,
      fork: (effect) => fork?.(effect),
      now,
      heardAt: () => heardAt,
      hearsHeld: () => {
        if (isHeld) heardAt = now()
        return isHeld
      }
    })

    /** What the link tells, as long as it is the sandbox's own. */
    const ears = (isOurs: () => boolean): BridgeLinkListener => ({
      onHello: (hello) => {
        if (!isOurs()) return
        watch.isBack()
        heardAt = now()
        // What ended while nobody listened is told by the events that are still to come.
        const isToCome = hello.last > link()!.received() && lifecycle.phase !== "lingering"
        const open = isToCome && generation !== undefined && expectsOpen() ? generation.number : hello.open
        if (generation?.request.reattach !== undefined && generation.isOpening()) {
          opened = { ...reattached(generation), taken: hello.taken }
        }
        feed({ type: "connected", open })
      },
      onDisconnected: (reason) => {
        if (!isOurs()) return
        linkReason = reason
        feed({ type: "disconnected" })
        watch.exits()
      },
      onHeard: () => {
        heardAt = now()
        if (heardAt - lastHeard < Math.min(quietMs, policy.heartbeatMs)) return
        lastHeard = heardAt
        if (isOurs()) feed({ type: "heard" })
      },
      onEvents: (batch) => {
        const through = batch.first + batch.events.length - 1
        mirrored = Math.max(mirrored, through)
        if (generation?.number !== batch.generation) {
          // Of a generation that is over: nobody will ever store it.
          if (isOurs()) link()!.passed(through, 0)
          return
        }
        if (generation.isOver()) return
        const { busy: isBusy, end } = generation.copy(batch, `sandbox:${provider.name}/${lifecycle.sandboxId ?? ""}`)
        stir(isBusy)
        hold()
        if (end === "closed") feed({ type: "close" })
        else if (end === "suspended") feed({ type: "suspend" })
        else if (end !== undefined) feed({ type: "innerLost", ...end })
      },
      onGap: (from, to) =>
        remark("error", `events ${from} to ${to} of the sandbox are missing`, "sandbox_events_missing"),
      onSyncing: (detail) => {
        const at = now()
        if (lifecycle.region !== "syncing" || at - lastProgress < progressMs) return
        lastProgress = at
        fork?.(tell({ type: "sandbox.syncing", data: { reason: detail } }))
      },
      onHeld: ({ detail, full }) => {
        heldNote?.interruptUnsafe()
        if (!full) {
          if (isHeldNoted) remark("info", "the sandbox goes on", "sandbox_held")
          isHeldNoted = false
          return
        }
        // Whoever writes faster than the log takes it is held for moments again and again.
        heldNote = fork?.(
          Effect.map(Effect.sleep(Math.min(heldNoteMs, policy.heartbeatMs)), () => {
            isHeldNoted = true
            remark("warning", `the sandbox is held: ${detail}`, "sandbox_held")
          })
        )
      },
      onCredentials: ({ operation, repository }, answer) => {
        fork?.(Effect.map(parts.lend(operation, repository), answer))
      },
      onSkew: (byMs) =>
        remark("warning", `the sandbox's clock is off by ${Math.round(byMs / 1_000)} s`, "sandbox_clock_skew"),
      onBanned: (reason) => {
        if (isOurs()) feed({ type: "banned", reason })
      }
    })

    /** Whether the present generation was open in the sandbox when it was heard of last. */
    const expectsOpen = () => lifecycle.isOpen || generation?.request.reattach !== undefined

    /** Holds the sandbox back while the log is behind, and lets it go on. */
    const hold = () => {
      const weight = generation?.outbox.weight() ?? 0
      if (isHeld ? weight > heldWeight / 2 : weight <= heldWeight) return
      isHeld = !isHeld
      link()?.hold(isHeld)
    }

    /** Asks the provider for something, in place of what was asked before. */
    const call = (asked: Effect.Effect<LifecycleInput>) => {
      providerCall?.interruptUnsafe()
      providerCall = fork?.(Effect.map(asked, feed))
    }

    const wanted = (self: CloudGeneration): Effect.Effect<SandboxRequest, SandboxProviderError> =>
      Effect.gen(function* () {
        const controlPlane = yield* parts.controlPlane
        const environment = yield* parts.environment(self)
        const { image, limits } = self.spec
        return {
          owner: parts.owner,
          sessionId,
          generation: self.number,
          controlPlane,
          environment: {
            ...environment,
            ...door.variables(),
            HOLDFAST_BRIDGE_SESSION: sessionId,
            HOLDFAST_BRIDGE_GENERATION: String(self.number)
          },
          ...(image === undefined ? {} : { image }),
          ...(limits === undefined ? {} : { limits })
        }
      })

    const reattached = (self: CloudGeneration): Opened => ({ capabilities: self.inner.capabilities })

    const carrier = makeBundleCarrier(provider)
    const carry: Carry = (bundle, into) =>
      Effect.suspend(() => {
        const { sandboxId } = lifecycle
        if (sandboxId !== null) return carrier.send(bundle, sandboxId, into)
        return Effect.fail(new NotCarried({ reason: "its sandbox is gone", retryable: true }))
      })

    const execute = (action: LifecycleAction): Effect.Effect<void> =>
      Effect.suspend(() => {
        switch (action.do) {
          case "look":
            call(calls.look(action.sandboxId))
            return Effect.void
          case "create":
          case "restore": {
            if (generation === undefined) return Effect.void
            isFresh = action.do === "create"
            call(calls.spawn(action.do === "restore" ? action.snapshotId : undefined, wanted(generation)))
            return Effect.void
          }
          case "openInner": {
            const self = generation
            const open = link()
            if (self === undefined || open === undefined) return Effect.void
            fork?.(
              Effect.map(openInner(self, open, isFresh, remark, carry), (came) => {
                if (generation !== self) return
                if ("capabilities" in came) {
                  opened = came
                  feed({ type: "innerOpened" })
                } else feed({ type: "innerLost", reason: came.reason, retryable: came.retryable })
              })
            )
            return Effect.void
          }
          case "endInner": {
            const end = link()?.ask({ do: "end", generation: action.generation }) ?? Effect.void
            const ended = Effect.ignore(Effect.timeoutOption(end, innerTimeoutMs))
            const fiber = fork?.(ended)
            // One that is away ends it when it is back.
            if (link()?.isConnected() === true) ending = fiber
            return Effect.void
          }
          case "snapshot": {
            const open = link()
            const frozen =
              open?.isConnected() === true
                ? Effect.ignore(Effect.timeoutOption(open.ask({ do: "freeze" }), innerTimeoutMs))
                : Effect.void
            call(Effect.andThen(frozen, calls.snapshot(action.sandboxId)))
            return Effect.void
          }
          case "thaw":
            fork?.(Effect.ignore(link()?.ask({ do: "thaw" }) ?? Effect.void))
            return Effect.void
          case "removeSnapshot": {
            const stored = generation?.stored ?? Effect.void
            parts.background(
              Effect.andThen(Effect.timeoutOption(stored, innerTimeoutMs), calls.removeSnapshot(action.snapshotId))
            )
            return Effect.void
          }
          case "destroy":
            door.close("its sandbox is destroyed")
            call(calls.destroy(action.sandboxId))
            return Effect.void
          case "tell":
            return tell(eventOf(action))
          case "note":
            return tell(note("warning", action.reason, undefined, "sandbox") as BackendEvent)
          case "link":
            return tell(
              action.connected
                ? { type: "link.connected", data: {} }
                : { type: "link.reconnecting", data: { attempt: 1, reason: linkReason || action.reason } }
            )
          case "endGeneration":
            if (action.how === "suspended") generation?.suspended(action.reason, generation.inner.capabilities.resume)
            else generation?.lost(action.reason, action.retryable)
            return Effect.void
          case "closed":
            generation?.closed("closed")
            return Effect.void
          case "forget":
            door.close("nobody looks after it any more")
            return Effect.void
        }
      })

    const eventOf = ({ type, ...action }: Extract<LifecycleAction, { readonly do: "tell" }>): BackendEvent => {
      const { do: _tell, ...data } = action
      if (type === "sandbox.pending") return { type, data: { ...data, provider: provider.name } }
      if (type !== "sandbox.warming" || generation === undefined) return { type, data }
      const { hash } = door.make(generation.number)
      return { type, data: { ...data, provider: provider.name, tokenHash: hash } }
    }

    const dueIn = () => {
      const due = nextDue(lifecycle, policy, breaker.get())
      return due === undefined ? undefined : due - now()
    }

    const run = Effect.gen(function* () {
      fork = yield* FiberSet.makeRuntime<never, void, never>()
      fork(watch.silence)
      yield* Effect.acquireRelease(
        Effect.sync(() => breaker.watch(() => feed({ type: "tick" }))),
        (unwatch) => Effect.sync(unwatch)
      )
      while (!isOver(lifecycle)) {
        const { input, taken } = yield* mailbox.next(dueIn)
        const { phase: before, sandboxId } = lifecycle
        const decided = decideLifecycle(lifecycle, input, now(), policy, breaker.get())
        lifecycle = decided.state
        // One whose bridge dies at once is not waited for until its time is up.
        if (before !== "connecting" && lifecycle.phase === "connecting") watch.exits()
        const isGivenUp = before === "destroying" && (input.type === "destroyFailed" || input.type === "tick")
        if (isGivenUp && lifecycle.phase !== before && sandboxId !== null) parts.background(calls.insist(sandboxId))
        breaker.set(decided.breaker)
        for (const action of decided.actions) yield* execute(action)
        if (lifecycle.isOpen && generation?.isOpening() === true) {
          generation.open(opened ?? reattached(generation))
          opened = undefined
        }
        if (taken !== undefined) Deferred.doneUnsafe(taken, Exit.void)
      }
    }).pipe(
      Effect.scoped,
      Effect.catchCause((cause) =>
        Cause.hasInterruptsOnly(cause) ? Effect.void : Effect.logError("a sandbox is not looked after any more", cause)
      ),
      Effect.ensuring(
        Effect.sync(() => {
          isDone = true
          fork = undefined
          door.close("the host stops", BridgeCloseCode.goingAway)
          generation?.lost("nobody looks after its sandbox any more", true)
          Deferred.doneUnsafe(over, Exit.void)
          mailbox.close()
        })
      ),
      Effect.annotateLogs({ sessionId })
    )

    return {
      sessionId,
      begin: (self, input) => {
        if (isDone || isOver(lifecycle)) return false
        generation = self
        opened = undefined
        isFresh = false
        busy = false
        const known = input.known
        if (door.current() === undefined && known !== null && known.tokenHash !== null) {
          door.reopen(known.generation, known.tokenHash)
        }
        feed(input)
        return true
      },
      release: (self, detached) =>
        Effect.gen(function* () {
          self.leave()
          if (generation === self) {
            generation = undefined
            opened = undefined
            if (detached) detachedFrom = door.current()
            if (detached) door.close("the host goes away, and comes back", BridgeCloseCode.goingAway)
            else link()?.passed(link()!.received(), 0)
            hold()
          }
          if (self.isClosing()) feed({ type: "close" })
          const taken = Deferred.makeUnsafe<void>()
          mailbox.put({ input: { type: "released", generation: self.number, detached }, taken })
          yield* Deferred.await(taken)
          if (ending !== undefined && !detached) yield* Effect.timeoutOption(Fiber.await(ending), innerTimeoutMs)
        }),
      feed,
      stir,
      passed: (through, weight) => {
        link()?.passed(through, weight)
        if (isHeld) hold()
      },
      link,
      sandboxId: () => lifecycle.sandboxId,
      admit: (token) => door.admit(token, isOver(lifecycle)),
      isOver: () => isOver(lifecycle),
      known: () => ({
        provider: provider.name,
        sandboxId: detachedFrom === undefined ? null : lifecycle.sandboxId,
        snapshotId: lifecycle.snapshotId,
        tokenHash: detachedFrom?.hash ?? null,
        generation: detachedFrom?.generation ?? 0
      }),
      mirrored: () => mirrored,
      over: Deferred.await(over),
      run
    }
  })
