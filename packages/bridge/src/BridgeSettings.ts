/** What a bridge is told by its environment: decoded once, at the start. Secrets are taken out of it. */
import { SessionId } from "@holdfast/core"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { homedir } from "node:os"
import { isAbsolute, join } from "node:path"

/** A place to connect to or to listen at. */
export type BridgeAddress =
  | { readonly kind: "url"; readonly url: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string }

/** The way to the control plane: the bridge dials out, or is dialled. */
export type BridgeWay =
  | { readonly dial: Extract<BridgeAddress, { readonly kind: "url" | "unix" }> }
  | { readonly listen: Extract<BridgeAddress, { readonly kind: "tcp" | "unix" }>; readonly dialKey: string }

/** The settings. */
export interface BridgeSettings {
  readonly way: BridgeWay
  readonly token: string
  readonly sessionId: SessionId
  /** The generation for which the sandbox was made. */
  readonly generation: number
  /** Folder of its log and of what it unpacks. */
  readonly data: string
  /** Where the session works. */
  readonly workspace: string
  /** Milliseconds without a control plane after which it stops. */
  readonly lifetimeMs: number
  /** Most bytes of events that wait for an acknowledgement. */
  readonly logBytes: number
}

/** A variable has no usable value. */
export interface SettingInvalid {
  readonly variable: string
  readonly expected: string
}

/** Dials in vain for a day by default: longer than a night or an outage, shorter than a forgotten sandbox is paid for. */
const defaultLifetimeMs = 24 * 60 * 60 * 1_000

/** 256 MiB: some hours of an agent's work or some seconds of a flood, and what a small sandbox's disk has room for. */
const defaultLogBytes = 256 * 1024 * 1024

const text = Schema.String.check(Schema.isMinLength(1))
const absolute = text.check(
  Schema.makeFilter((path: string) => (isAbsolute(path) ? undefined : "an absolute path")),
  Schema.makeFilter((path: string) => (path.includes("\0") ? "a path without NUL" : undefined))
)
/** It goes into a header as it is. */
const credential = text.check(
  Schema.isMaxLength(4_096),
  Schema.isPattern(/^[\x21-\x7e]+$/, { expected: "visible ASCII characters without spaces" })
)
const whole = (least: number, most: number) =>
  Schema.FiniteFromString.check(Schema.isInt(), Schema.isBetween({ minimum: least, maximum: most }))

const readers = {
  HOLDFAST_BRIDGE_TOKEN: [credential, "the sandbox token, visible ASCII characters without spaces"],
  HOLDFAST_BRIDGE_DIAL_KEY: [credential, "the dial key, visible ASCII characters without spaces"],
  HOLDFAST_BRIDGE_SESSION: [SessionId, "the id of a session"],
  HOLDFAST_BRIDGE_GENERATION: [whole(0, Number.MAX_SAFE_INTEGER), "a whole number from 0 on"],
  HOLDFAST_BRIDGE_DATA: [absolute, "an absolute path"],
  HOLDFAST_WORKSPACE: [absolute, "an absolute path"],
  HOLDFAST_BRIDGE_LIFETIME_MS: [whole(1_000, 2 ** 31 - 1), "milliseconds from 1000 to 2147483647"],
  HOLDFAST_BRIDGE_LOG_BYTES: [whole(64 * 1024, 2 ** 40), "bytes from 65536 to 1099511627776"]
} as const

type Environment = Record<string, string | undefined>

class Refused extends Error {
  readonly setting: SettingInvalid
  constructor(variable: string, expected: string) {
    super(variable)
    this.setting = { variable, expected }
  }
}

/**
 * Reads the settings, and removes all that is the bridge's own from `env`, the token and the dial key above all, whether or not
 * it can be used: nothing that is started later may see it there.
 */
export const takeSettings = (env: Environment): BridgeSettings | SettingInvalid => {
  const given = { ...env }
  for (const name of Object.keys(env)) if (name.startsWith("HOLDFAST_BRIDGE_")) delete env[name]
  // For the bridge's own start: what runs inside would put its code there.
  delete env["NODE_COMPILE_CACHE"]

  const read = <K extends keyof typeof readers>(name: K): (typeof readers)[K][0]["Type"] | undefined => {
    const value = given[name]
    if (value === undefined || value === "") return undefined
    const [schema, expected] = readers[name]
    const decoded = Schema.decodeUnknownResult(schema as Schema.Decoder<unknown>)(value)
    if (Result.isFailure(decoded)) throw new Refused(name, expected)
    return decoded.success as (typeof readers)[K][0]["Type"]
  }
  const need = <K extends keyof typeof readers>(name: K): (typeof readers)[K][0]["Type"] => {
    const value = read(name)
    if (value === undefined) throw new Refused(name, `${readers[name][1]}; it is not set`)
    return value
  }

  try {
    const data = read("HOLDFAST_BRIDGE_DATA") ?? join(given["HOME"] ?? homedir(), ".holdfast", "bridge")
    return {
      way: readWay(given, () => need("HOLDFAST_BRIDGE_DIAL_KEY")),
      token: need("HOLDFAST_BRIDGE_TOKEN"),
      sessionId: need("HOLDFAST_BRIDGE_SESSION"),
      generation: need("HOLDFAST_BRIDGE_GENERATION"),
      data,
      workspace: read("HOLDFAST_WORKSPACE") ?? process.cwd(),
      lifetimeMs: read("HOLDFAST_BRIDGE_LIFETIME_MS") ?? defaultLifetimeMs,
      logBytes: read("HOLDFAST_BRIDGE_LOG_BYTES") ?? defaultLogBytes
    }
  } catch (error) {
    if (error instanceof Refused) return error.setting
    throw error
  }
}

const readWay = (env: Environment, dialKey: () => string): BridgeWay => {
  const url = env["HOLDFAST_BRIDGE_URL"] ?? ""
  const listen = env["HOLDFAST_BRIDGE_LISTEN"] ?? ""
  if (listen !== "") return { listen: readListen(listen), dialKey: dialKey() }
  const expected = "an http:// or https:// URL without user, query and fragment, or unix:/absolute/path"
  if (url === "") throw new Refused("HOLDFAST_BRIDGE_URL", `${expected}; neither it nor HOLDFAST_BRIDGE_LISTEN is set`)
  const path = unixPath(url)
  if (path !== undefined) return { dial: { kind: "unix", path } }
  if (!URL.canParse(url)) throw new Refused("HOLDFAST_BRIDGE_URL", expected)
  const { hash, password, protocol, search, username } = new URL(url)
  if (!/^https?:$/.test(protocol) || username + password + search + hash !== "") {
    throw new Refused("HOLDFAST_BRIDGE_URL", expected)
  }
  return { dial: { kind: "url", url: url.replace(/\/+$/, "") } }
}

const readListen = (value: string): Extract<BridgeAddress, { readonly kind: "tcp" | "unix" }> => {
  const path = unixPath(value)
  if (path !== undefined) return { kind: "unix", path }
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(value) ?? []
  const host = bracketed ?? plain
  if (host === undefined || Number(port) > 65_535) {
    throw new Refused(
      "HOLDFAST_BRIDGE_LISTEN",
      "host:port, such as 127.0.0.1:4750 or [::1]:4750, or unix:/absolute/path"
    )
  }
  return { kind: "tcp", host, port: Number(port) }
}

const unixPath = (value: string): string | undefined => {
  const path = /^unix:(\/.+)$/.exec(value)?.[1]
  // A file system's socket has at most so long a name.
  return path === undefined || path.length > 107 ? undefined : path
}
