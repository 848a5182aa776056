/** A provider without machines: what it makes is a bridge of the test's own, which says what the test has it say. */
import type { SessionId } from "@holdfast/core"
import {
  type BridgeAdmission,
  type BridgeGateway,
  type BridgeListener,
  type BridgeMessage,
  bridgeProtocolVersion,
  type BridgeSocket,
  type ControlMessage,
  encodeEvents,
  type EventBatch,
  type SandboxInfo,
  type SandboxProvider,
  SandboxProviderError,
  type SandboxRequest,
  type SnapshotInfo
} from "@holdfast/core/cloud"
import { noCapabilities } from "@holdfast/core"
import { Effect } from "effect"

/** A message that a control plane sent, or how it closed the connection. */
export type Said = ControlMessage | { readonly type: "close"; readonly code: number; readonly reason: string }

/** A connection of the test's bridge. */
export class TestBridge {
  readonly said: Array<Said> = []
  readonly #listener: BridgeListener
  readonly #waiters = new Set<() => void>()
  #isOpen = true
  isPaused = false

  constructor(admission: BridgeAdmission) {
    this.#listener = admission.connect({
      send: (frame) => this.#hear(typeof frame === "string" ? (JSON.parse(frame) as ControlMessage) : undefined),
      bufferedBytes: () => 0,
      close: (code, reason) => {
        if (!this.#isOpen) return
        this.#isOpen = false
        this.#hear({ type: "close", code, reason })
        queueMicrotask(() => this.#listener.onClose(code, reason))
      },
      pause: () => {
        this.isPaused = true
      },
      resume: () => {
        this.isPaused = false
      }
    } satisfies BridgeSocket)
  }

  #hear(said: Said | undefined) {
    if (said !== undefined) this.said.push(said)
    for (const wake of this.#waiters) wake()
  }

  /** Waits until it was told something. */
  until<S extends Said>(fits: (said: Said) => said is S): Promise<S>
  until(fits: (said: Said) => boolean): Promise<Said>
  until(fits: (said: Said) => boolean): Promise<Said> {
    return new Promise((resolve, reject) => {
      const deadline = setTimeout(() => {
        this.#waiters.delete(look)
        reject(new Error(`it was not told that; it was told ${JSON.stringify(this.said)}`))
      }, 5_000)
      const look = () => {
        const found = this.said.find(fits)
        if (found === undefined) return
        clearTimeout(deadline)
        this.#waiters.delete(look)
        resolve(found)
      }
      this.#waiters.add(look)
      look()
    })
  }

  /** Waits for a command of a kind. */
  command = (what: string) =>
    this.until(
      (said): said is Extract<ControlMessage, { readonly type: "command" }> =>
        said.type === "command" && said.command.do === what
    )

  closed = () => this.until((said) => said.type === "close") as Promise<Extract<Said, { readonly type: "close" }>>

  say(message: BridgeMessage | Record<string, unknown> | string) {
    this.#listener.onText(typeof message === "string" ? message : JSON.stringify(message))
  }

  sayBytes(frame: Uint8Array) {
    this.#listener.onBinary(frame)
  }

  events(batch: EventBatch) {
    this.sayBytes(encodeEvents(batch))
  }

  /** The connection breaks. */
  drop() {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#listener.onClose(1006, "")
  }
}

/** What a bridge says first. */
export const hello = (sessionId: SessionId, more: object = {}) => ({
  type: "hello",
  protocol: bridgeProtocolVersion,
  sessionId,
  generation: 1,
  bridge: "test",
  last: 0,
  open: null,
  commands: 0,
  taken: [],
  at: Date.now(),
  ...more
})

/** A terminal that is open. */
export const openedTerminal = { opened: { capabilities: { ...noCapabilities, terminal: true } } }

/** An agent that is open and can be resumed. */
export const openedAgent = {
  opened: { capabilities: { ...noCapabilities, prompts: true, resume: true }, nativeId: "native-1" }
}

/** The provider, and what it was asked. */
export const makeScriptedSandboxes = (options: { readonly owner?: string } = {}) => {
  const owner = options.owner ?? "test"
  const sandboxes = new Map<string, SandboxInfo>()
  const stored = new Map<string, SnapshotInfo>()
  const requests: Array<SandboxRequest & { readonly snapshotId?: string }> = []
  const destroyed: Array<string> = []
  const failures: Array<Partial<SandboxProviderError>> = []
  const clinging = { times: 0 }
  const waiters = new Set<() => void>()
  let count = 0

  const fail = (operation: string, failure: SandboxProviderError["failure"], more: object = {}) =>
    new SandboxProviderError({
      provider: "scripted",
      operation,
      failure,
      detail: `scripted ${failure}`,
      retryable: ["rate_limited", "timeout", "unavailable"].includes(failure),
      ...more
    })

  const make = (request: SandboxRequest, snapshotId?: string) =>
    Effect.suspend(() => {
      requests.push({ ...request, ...(snapshotId === undefined ? {} : { snapshotId }) })
      for (const wake of waiters) wake()
      const planned = failures.shift()
      if (planned !== undefined) return Effect.fail(fail("create", planned.failure ?? "unavailable", planned))
      if (snapshotId !== undefined && !stored.has(snapshotId)) return Effect.fail(fail("restore", "not_found"))
      const info: SandboxInfo = {
        sandboxId: `sandbox-${++count}`,
        owner: request.owner,
        sessionId: request.sessionId,
        generation: request.generation,
        condition: "running",
        createdAt: Date.now() + count
      }
      sandboxes.set(info.sandboxId, info)
      return Effect.succeed(info)
    })

  const provider: SandboxProvider = {
    name: "scripted",
    capabilities: { snapshot: true, dialIn: false, limits: ["cpus"], isolation: "none: there is nothing" },
    check: Effect.void,
    create: (request) => make(request),
    restore: (snapshotId, request) => make(request, snapshotId),
    list: () => Effect.sync(() => [...sandboxes.values()]),
    status: (sandboxId) => Effect.sync(() => sandboxes.get(sandboxId)?.condition ?? "gone"),
    exec: () => Effect.fail(fail("exec", "unsupported")),
    putFile: () => Effect.fail(fail("putFile", "unsupported")),
    getFile: () => Effect.fail(fail("getFile", "unsupported")),
    snapshot: (sandboxId) =>
      Effect.suspend(() => {
        const of = sandboxes.get(sandboxId)
        if (of === undefined) return Effect.fail(fail("snapshot", "not_found"))
        const info: SnapshotInfo = {
          snapshotId: `snapshot-${++count}`,
          owner,
          sessionId: of.sessionId,
          createdAt: Date.now() + count
        }
        stored.set(info.snapshotId, info)
        return Effect.succeed(info)
      }),
    snapshots: () => Effect.sync(() => [...stored.values()]),
    removeSnapshot: (snapshotId) =>
      Effect.sync(() => {
        stored.delete(snapshotId)
      }),
    destroy: (sandboxId) =>
      Effect.suspend(() => {
        if (clinging.times-- > 0) return Effect.fail(fail("destroy", "unavailable"))
        if (sandboxes.delete(sandboxId)) destroyed.push(sandboxId)
        for (const wake of waiters) wake()
        return Effect.void
      })
  }

  const until = (fits: () => boolean): Promise<void> =>
    new Promise((resolve, reject) => {
      const deadline = setTimeout(() => {
        waiters.delete(look)
        reject(new Error("the provider was not asked for that"))
      }, 5_000)
      const look = () => {
        if (!fits()) return
        clearTimeout(deadline)
        waiters.delete(look)
        resolve()
      }
      waiters.add(look)
      look()
    })

  return {
    provider,
    sandboxes,
    stored,
    requests,
    destroyed,
    /** The next spawns fail so. */
    failures,
    /** So many tries to destroy fail. */
    clinging,
    until,
    /** Waits for the spawn of this number, 1, 2 …; what it was asked with. */
    spawn: async (number: number) => {
      await until(() => requests.length >= number)
      return requests[number - 1]!
    }
  }
}

/** Connects as the bridge of a sandbox that was asked for. */
export const connectBridge = async (gateway: BridgeGateway, request: SandboxRequest): Promise<TestBridge> =>
  new TestBridge(await Effect.runPromise(gateway.admit(request.environment["HOLDFAST_BRIDGE_TOKEN"]!)))
