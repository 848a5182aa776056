/** What the server is told, by flags or by the environment. */
import type { AuthOptions, ServerOptions } from "@holdfast/server"
import * as Config from "effect/Config"
import * as Flag from "effect/cli/Flag"
import * as Option from "effect/Option"
import { randomBytes } from "node:crypto"
import { readFileSync } from "node:fs"
import { homedir, userInfo } from "node:os"
import { join, resolve } from "node:path"
import { type SandboxKind, sandboxKinds } from "./Sandboxes.ts"

const text = (name: string, variable: string, description: string) =>
  Flag.String(name).pipe(
    Flag.withDescription(`${description} (or ${variable})`),
    Flag.withFallbackConfig(Config.String(variable)),
    Flag.optional
  )

const list = (name: string, variable: string, description: string) =>
  text(name, variable, `${description}; several with commas between`)

/** The flags. Secrets have none: what is on a command line can be read by everybody on the machine. */
export const flags = {
  host: text("host", "HOLDFAST_HOST", "Address to listen on; default 127.0.0.1"),
  port: Flag.Int("port").pipe(
    Flag.withDescription("Port to listen on, 0 for any that is free; default 4747 (or HOLDFAST_PORT)"),
    Flag.withFallbackConfig(Config.Int("HOLDFAST_PORT")),
    Flag.withDefault(4747)
  ),
  data: text(
    "data",
    "HOLDFAST_DATA",
    "Folder of the log and of the server's secret; default holdfast/server below XDG_STATE_HOME"
  ),
  name: text("name", "HOLDFAST_OWNER", "Your name, as others see it; default the one that you are logged in with"),
  jwksUrl: text("jwks-url", "HOLDFAST_JWKS_URL", "Keys of an identity provider whose tokens are taken"),
  issuer: text("issuer", "HOLDFAST_ISSUER", "Issuer that tokens must have"),
  audience: text("audience", "HOLDFAST_AUDIENCE", "Audience that tokens must have"),
  algorithms: list("algorithms", "HOLDFAST_ALGORITHMS", "Algorithms of the identity provider; default RS256,ES256"),
  tlsKey: text("tls-key", "HOLDFAST_TLS_KEY", "File with the key of the certificate, in PEM"),
  tlsCert: text("tls-cert", "HOLDFAST_TLS_CERT", "File with the certificate chain, in PEM"),
  allowedHosts: list("allow-host", "HOLDFAST_ALLOWED_HOSTS", "Further names under which the server may be called"),
  allowedOrigins: list("allow-origin", "HOLDFAST_ALLOWED_ORIGINS", "Origins whose pages may use the API"),
  sandboxes: list(
    "sandboxes",
    "HOLDFAST_SANDBOXES",
    "Kinds of sandboxes that sessions may run in, process and docker, or none; default those that can be used"
  )
}

/** What was given; see {@link flags}. */
export interface Given {
  readonly port: number
  readonly host: Option.Option<string>
  readonly data: Option.Option<string>
  readonly name: Option.Option<string>
  readonly jwksUrl: Option.Option<string>
  readonly issuer: Option.Option<string>
  readonly audience: Option.Option<string>
  readonly algorithms: Option.Option<string>
  readonly tlsKey: Option.Option<string>
  readonly tlsCert: Option.Option<string>
  readonly allowedHosts: Option.Option<string>
  readonly allowedOrigins: Option.Option<string>
  readonly sandboxes: Option.Option<string>
}

const parts = (value: Option.Option<string>): ReadonlyArray<string> =>
  Option.match(value, { onNone: () => [], onSome: (given) => given.split(",").map((part) => part.trim()) })

/** The folder of what outlasts the server. */
export const dataFolder = ({ data }: Given): string =>
  resolve(
    Option.getOrElse(data, () =>
      join(process.env["XDG_STATE_HOME"] || join(homedir(), ".local", "state"), "holdfast", "server")
    )
  )

/** Kinds of sandboxes that were asked for; undefined where nobody said. Throws for what is none. */
export const sandboxesOf = ({ sandboxes }: Given): ReadonlyArray<SandboxKind> | undefined => {
  if (Option.isNone(sandboxes)) return undefined
  const asked = parts(sandboxes).filter((kind) => kind !== "none" && kind !== "")
  const unknown = asked.find((kind) => !sandboxKinds.some((one) => one === kind))
  if (unknown === undefined) return asked as ReadonlyArray<SandboxKind>
  throw new Error(`--sandboxes takes ${sandboxKinds.join(", ")} or none, and not ${unknown}`)
}

/** Whose tokens are taken besides the server's own, which its start links give. */
const authOf = (given: Given): AuthOptions => {
  const issuer = Option.getOrUndefined(given.issuer)
  const audience = Option.getOrUndefined(given.audience)
  const url = Option.getOrUndefined(given.jwksUrl)
  if (url !== undefined) {
    const algorithms = parts(given.algorithms)
    return {
      kind: "jwks",
      url,
      issuer: issuer ?? "",
      audience: audience ?? "",
      algorithms: algorithms.length === 0 ? ["RS256", "ES256"] : algorithms
    }
  }
  return {
    kind: "secret",
    // One that nobody knows: then nobody else makes tokens.
    secret: process.env["HOLDFAST_SECRET"] || randomBytes(32).toString("base64url"),
    ...(issuer === undefined ? {} : { issuer }),
    ...(audience === undefined ? {} : { audience })
  }
}

/** The server's options; it checks them itself. Throws where a file of TLS cannot be read. */
export const serverOptions = (given: Given): ServerOptions => {
  const host = Option.getOrUndefined(given.host)
  const key = Option.getOrUndefined(given.tlsKey)
  const cert = Option.getOrUndefined(given.tlsCert)
  return {
    ...(host === undefined ? {} : { host }),
    port: given.port,
    auth: authOf(given),
    dataFolder: dataFolder(given),
    owner: { participantId: "owner", name: Option.getOrElse(given.name, () => userInfo().username) },
    ...(key === undefined && cert === undefined
      ? {}
      : { tls: { key: readFileSync(key ?? "", "utf8"), cert: readFileSync(cert ?? "", "utf8") } }),
    allowedHosts: parts(given.allowedHosts),
    allowedOrigins: parts(given.allowedOrigins)
  }
}
