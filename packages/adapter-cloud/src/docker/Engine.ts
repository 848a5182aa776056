/** The container engine's API by dockerode: loaded when it is needed, its answers decoded, its errors typed. */
import type { SandboxProviderError } from "@holdfast/core/cloud"
import type Dockerode from "dockerode"
import { Effect, Schema } from "effect"
import type { Fail } from "../provider/ProviderErrors.ts"
import type { DockerEngineOptions } from "./EngineOptions.ts"

/** The engine. */
export interface Engine {
  /** Calls it. The signal is aborted when the call is interrupted; hand it to dockerode. */
  readonly call: <A>(
    fail: Fail,
    ask: (docker: Dockerode, signal: AbortSignal) => Promise<A>
  ) => Effect.Effect<A, SandboxProviderError>
  /** Calls it and decodes the answer. */
  readonly ask: <S extends Schema.Codec<unknown, unknown>>(
    fail: Fail,
    schema: S,
    ask: (docker: Dockerode, signal: AbortSignal) => Promise<unknown>
  ) => Effect.Effect<S["Type"], SandboxProviderError>
}

/** Longest wait that an engine may ask for, in milliseconds: an hour. */
const longestWait = 3_600_000

/** What is read of an error; dockerode has no class for it. */
interface EngineError {
  readonly statusCode?: number
  readonly code?: string
  readonly message?: string
  readonly retryAfter?: string
}

/** The engine at an address. Nothing is loaded or connected yet. */
export const makeEngine = (options: DockerEngineOptions): Engine => {
  let docker: Promise<Dockerode> | undefined
  const open = () =>
    (docker ??= load(options).catch((error: unknown) => {
      docker = undefined
      throw error
    }))
  const call: Engine["call"] = (fail, ask) =>
    Effect.tryPromise({
      try: async (signal) => ask(await open(), signal),
      catch: (cause) => engineFailure(fail, cause, options)
    })
  return {
    call,
    ask: (fail, schema, ask) =>
      Effect.flatMap(call(fail, ask), (answer) =>
        Effect.mapError(Schema.decodeUnknownEffect(schema)(answer), (cause) =>
          fail("unexpected", `the engine's answer is not what this version understands: ${cause.message}`, { cause })
        )
      )
  }
}

const load = async (options: DockerEngineOptions): Promise<Dockerode> => {
  const { default: Docker } = await import("dockerode")
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
  const docker = new Docker(Object.keys(given).length === 0 ? undefined : given)
  keepRetryAfter(docker.modem as unknown as { buildPayload: Payload })
  return docker
}

type Payload = (...args: ReadonlyArray<unknown>) => void

/** dockerode's errors have the status and not the headers, of which one is needed. */
const keepRetryAfter = (modem: { buildPayload: Payload }) => {
  const original = modem.buildPayload
  modem.buildPayload = function (this: unknown, ...args) {
    const response = args[5] as { readonly headers?: Readonly<Record<string, string>> } | undefined
    const done = args[7] as (error: unknown, value: unknown) => void
    original.call(this, ...args.slice(0, 7), (error: unknown, value: unknown) => {
      const retryAfter = response?.headers?.["retry-after"]
      if (error instanceof Error && retryAfter !== undefined) Object.assign(error, { retryAfter })
      done(error, value)
    })
  }
}

/** Aborts a call that may not be interrupted when it takes longer than `ms`; what it answered goes on. */
export const deadline = async <A>(ms: number, ask: (signal: AbortSignal) => Promise<A>): Promise<A> => {
  const controller = new AbortController()
  const timer = setTimeout(() => controller.abort(), ms)
  try {
    return await ask(controller.signal)
  } finally {
    clearTimeout(timer)
  }
}

/** Looks at an image. dockerode's types do not know that this can be aborted too. */
export const inspectImage = (docker: Dockerode, image: string, abortSignal: AbortSignal): Promise<unknown> =>
  docker.getImage(image).inspect({ abortSignal } as object)

/** Whether the engine knows nothing of what was named. */
export const isNotFound = (error: SandboxProviderError): boolean => error.failure === "not_found"

/** What went wrong, and what to do about it. */
export const engineFailure = (fail: Fail, cause: unknown, options: DockerEngineOptions = {}): SandboxProviderError => {
  const { code, message = String(cause), retryAfter, statusCode } = (cause ?? {}) as EngineError
  const detail = message.replace(/^\(HTTP code \d+\) /, "").trim()
  if (code === "ERR_MODULE_NOT_FOUND" || code === "MODULE_NOT_FOUND") {
    return fail("unsupported", "Docker is spoken to by a package that is not installed: npm install dockerode", {
      cause
    })
  }
  if (statusCode === undefined) return unreachable(fail, cause, code, detail, options)
  if (/no space left on device|disk quota exceeded/i.test(detail)) return fail("exhausted", detail, { cause })
  switch (statusCode) {
    case 400:
    case 409:
      return fail("invalid", detail, { cause })
    case 401:
    case 403:
      return fail("forbidden", detail, { cause })
    case 404:
      return fail("not_found", detail, { cause })
    case 408:
    case 504:
      return fail("timeout", detail, { cause })
    case 429: {
      const retryAfterMs = waitOf(retryAfter)
      return fail("rate_limited", detail, { cause, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) })
    }
    case 507:
      return fail("exhausted", detail, { cause })
    default:
      return fail(statusCode >= 500 ? "unavailable" : "unexpected", detail, { cause })
  }
}

/** `Retry-After` (RFC 9110): seconds, or a date. */
const waitOf = (header: string | undefined): number | undefined => {
  if (header === undefined) return undefined
  const ms = /^\d+$/.test(header.trim()) ? Number(header) * 1_000 : Date.parse(header) - Date.now()
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), longestWait) : undefined
}

const unreachable = (
  fail: Fail,
  cause: unknown,
  code: string | undefined,
  detail: string,
  { host, port, socketPath }: DockerEngineOptions
): SandboxProviderError => {
  const where = socketPath ?? (host === undefined ? "DOCKER_HOST or the system's own socket" : `${host}:${port ?? ""}`)
  switch (code) {
    case "EACCES":
    case "EPERM":
      return fail("forbidden", `this user may not use the container engine at ${where}: add them to the group docker`, {
        cause
      })
    case "ENOENT":
    case "ECONNREFUSED":
    case "ENOTFOUND":
    case "EHOSTUNREACH":
      return fail(
        "unavailable",
        `no container engine answers at ${where}: start Docker, or podman's service (podman system service), or set DOCKER_HOST`,
        { cause }
      )
    case "ECONNRESET":
    case "EPIPE":
    case "ETIMEDOUT":
    case "ABORT_ERR":
      return fail("unavailable", `the container engine at ${where} closed the connection: ${detail}`, { cause })
    default:
      return fail("unexpected", detail, { cause })
  }
}
