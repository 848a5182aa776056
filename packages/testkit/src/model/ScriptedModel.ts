/**
 * A model provider on the loopback interface that answers as a script says, for agents and apps that would call a real one.
 *
 * ```ts
 * const model = await startScriptedModel({
 *   script: [{ when: "list", answers: [[agentTools.codex.shell("ls")], [ModelStep.text("That is all of it.")]] }]
 * })
 * // … give an agent `model.url` for its provider, and let it work
 * await model.close()
 * ```
 */
import { randomBytes } from "node:crypto"
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { Effect, Exit, FiberSet, Latch, Schema, Scope } from "effect"
import { makeExchange } from "./ModelExchange.ts"
import type { RecordedRequest } from "./ModelRequest.ts"
import type { ModelScript } from "./ModelScript.ts"
import { makeRequestRecord, type ModelWaitExpired, type OpenRequest } from "./RequestRecord.ts"

/** The scripted model cannot listen. */
export class ModelServerUnavailable extends Schema.TaggedError<ModelServerUnavailable>()("ModelServerUnavailable", {
  port: Schema.Int,
  cause: Schema.Defect()
}) {
  override get message() {
    return `The scripted model cannot listen on port ${this.port} of the loopback interface: ${String(this.cause)}`
  }
}

/** Options of {@link makeScriptedModel}. */
export interface ScriptedModelOptions {
  /** Default: no rules, so that every prompt is answered with itself. */
  readonly script?: ModelScript
  /** Default 0: any free port. */
  readonly port?: number
  /** Calls that one turn may make; the next is refused. It ends agents that would never stop. Default 100. */
  readonly maxCallsPerTurn?: number
  /** Milliseconds that an answer waits at a closed gate before it breaks the connection. Default 60,000. */
  readonly gateTimeoutMs?: number
  /** Requests that are kept; older ones are forgotten. Default 1,000. */
  readonly keepRequests?: number
  /** Of how many requests the body is kept too, which is some 40 kB with today's agents. Default 50. */
  readonly keepBodies?: number
  /** Part of all message and call ids. Default: random, so that they are new in conversations that outlive the model. */
  readonly idSeed?: string
}

/** What the two faces of a scripted model share. */
interface ModelControls {
  /** What to give clients as the base address of OpenAI's API: `http://127.0.0.1:PORT/v1`. */
  readonly url: string
  /** The same without `/v1`, as Anthropic's clients want it. */
  readonly origin: string
  /** The latest requests, oldest first. They change while they are answered. */
  readonly requests: ReadonlyArray<RecordedRequest>
  /** Lets every answer pass the gate of this name, from now on. */
  readonly open: (gate: string) => void
  /** Counts for the requests that come from now on. */
  readonly setScript: (script: ModelScript) => void
}

/** Options of waiting for a request. */
export interface WaitOptions {
  /** Default 10,000. */
  readonly timeoutMs?: number
}

/** A running scripted model. */
export interface ScriptedModel extends ModelControls {
  /** The first kept request that fits, waiting until there is one, or until one changes so that it fits. */
  readonly waitForRequest: (
    fits: (request: RecordedRequest) => boolean,
    options?: WaitOptions
  ) => Effect.Effect<RecordedRequest, ModelWaitExpired>
}

/** A running scripted model, plainly. */
export interface PlainScriptedModel extends ModelControls {
  /** As {@link ScriptedModel.waitForRequest}; rejects with the same error. */
  readonly waitForRequest: (
    fits: (request: RecordedRequest) => boolean,
    options?: WaitOptions
  ) => Promise<RecordedRequest>
  /** Breaks what is being answered and stops. Idempotent. */
  readonly close: () => Promise<void>
  readonly [Symbol.asyncDispose]: () => Promise<void>
}

/** Connections at once; further ones are closed. An agent has one for each call, and some keep a few open. */
const connectionLimit = 1_000

const listen = (port: number, onRequest: (request: IncomingMessage, response: ServerResponse) => void) =>
  Effect.acquireRelease(
    Effect.callback<Server, ModelServerUnavailable>((resume) => {
      const server = createServer(onRequest)
      server.maxConnections = connectionLimit
      const fail = (cause: Error) => resume(Effect.fail(new ModelServerUnavailable({ port, cause })))
      server.once("error", fail)
      server.listen(port, "127.0.0.1", () => {
        server.off("error", fail)
        resume(Effect.succeed(server))
      })
    }),
    (server) =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
  )

/** Starts a scripted model, which stops with the scope. Its pauses are real time, whatever clock the caller has. */
export const makeScriptedModel = Effect.fn("makeScriptedModel")(function* (
  options: ScriptedModelOptions = {}
): Effect.fn.Return<ScriptedModel, ModelServerUnavailable, Scope.Scope> {
  const { gateTimeoutMs = 60_000, keepBodies = 50, keepRequests = 1_000, maxCallsPerTurn = 100, port = 0 } = options
  const seed = options.idSeed ?? randomBytes(4).toString("hex")
  const record = makeRequestRecord(keepRequests, keepBodies)
  const gates = new Map<string, Latch.Latch>()
  let script: ModelScript = options.script ?? []
  let ids = 0

  const makeId = (prefix: string) => {
    ids += 1
    return `${prefix}_${seed}_${ids}`
  }

  const gateOf = (name: string) => {
    const latch = gates.get(name) ?? Latch.makeUnsafe()
    gates.set(name, latch)
    return latch
  }

  /** Waits at a gate, and lets the record say so. */
  const pass = (open: OpenRequest, name: string) =>
    Effect.suspend(() => {
      const latch = gateOf(name)
      if (Latch.isOpen(latch)) return Effect.void
      open.waitsAt(name)
      return latch.await.pipe(
        Effect.timeoutOrElse({
          duration: gateTimeoutMs,
          orElse: () => Effect.fail(`nobody opened the gate "${name}" within ${gateTimeoutMs} ms`)
        }),
        Effect.andThen(Effect.sync(() => open.waitsAt(undefined)))
      )
    })

  const exchange = makeExchange({ script: () => script, record, makeId, pass, maxCallsPerTurn })
  const fibers = yield* FiberSet.make<void>()
  const server = yield* listen(port, (request, response) => {
    // With a runtime of its own: under a test's clock nothing would ever be streamed.
    FiberSet.addUnsafe(fibers, Effect.runFork(exchange(request, response)))
  })
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  return {
    url: `${origin}/v1`,
    origin,
    requests: record.requests,
    waitForRequest: (fits, { timeoutMs = 10_000 } = {}) => record.wait(fits, timeoutMs),
    open: (gate) => {
      Latch.openUnsafe(gateOf(gate))
    },
    setScript: (next) => {
      script = next
    }
  }
})

/** Starts a scripted model, plainly. Rejects with {@link ModelServerUnavailable} where it cannot listen. */
export const startScriptedModel = async (options: ScriptedModelOptions = {}): Promise<PlainScriptedModel> => {
  const scope = Scope.makeUnsafe()
  const close = () => Effect.runPromise(Scope.close(scope, Exit.void))
  try {
    const model = await Effect.runPromise(Scope.provide(makeScriptedModel(options), scope))
    return {
      ...model,
      waitForRequest: (fits, wait) => Effect.runPromise(model.waitForRequest(fits, wait)),
      close,
      [Symbol.asyncDispose]: close
    }
  } catch (error) {
    await close()
    throw error
  }
}
