/** Sessions in sandboxes, composed: what runs in them, what it is given, and whose credentials its repositories get. */
import { createCloud, type PlainCloud } from "@holdfast/adapter-cloud"
import { codexBackend } from "@holdfast/adapter-codex"
import { opencodeBackend } from "@holdfast/adapter-opencode"
import { ptyBackend } from "@holdfast/adapter-pty"
import type { SessionId } from "@holdfast/core"
import type { SandboxProvider } from "@holdfast/core/cloud"
import { forgeOf, tokenCredentials } from "@holdfast/git"
import * as Effect from "effect/Effect"
import { delimiter, join } from "node:path"

/** What is composed. */
export interface CloudSessionsOptions {
  /** By whose name the sandboxes are known to whoever makes them: always the same for a log. */
  readonly owner: string
  /** The first is the one of sessions that name none. */
  readonly providers: ReadonlyArray<SandboxProvider>
  /** Where bridges find this host. */
  readonly controlPlane: string | Effect.Effect<string>
  /** Names of the variables by which agents are given their accounts. */
  readonly agentVariables: ReadonlyArray<string>
  /** Where coding agents are installed. */
  readonly agentsFolder: string | undefined
}

/** Tokens by the URL below which they count: `GITHUB_TOKEN` for GitHub, and `url=token`, with blanks between, for others. */
const gitTokens = (): Readonly<Record<string, string>> => {
  const github = process.env["GITHUB_TOKEN"] || process.env["GH_TOKEN"]
  const others = (process.env["HOLDFAST_GIT_TOKENS"] ?? "").split(/\s+/).flatMap((one) => {
    const at = one.indexOf("=")
    return at === -1 ? [] : [[one.slice(0, at), one.slice(at + 1)] as const]
  })
  return { ...(github ? { "https://github.com": github } : {}), ...Object.fromEntries(others) }
}

/** How long what runs in sandboxes goes on without a host: a day unless the environment says otherwise. */
const bridgeLifetime = (): { readonly bridge?: { readonly lifetimeMs: number } } => {
  const given = process.env["HOLDFAST_BRIDGE_LIFETIME_MS"] ?? ""
  if (given === "") return {}
  const lifetimeMs = Number(given)
  if (!Number.isInteger(lifetimeMs) || lifetimeMs < 1_000 || lifetimeMs >= 2 ** 31) {
    throw new RangeError(`HOLDFAST_BRIDGE_LIFETIME_MS is ${given}: expected milliseconds from 1000 to 2147483647`)
  }
  return { bridge: { lifetimeMs } }
}

/** Composes them: the backend, and who lets its bridges in. To be closed after the runtime; sandboxes are left as they are. */
export const cloudSessions = async ({
  agentsFolder,
  agentVariables,
  controlPlane,
  owner,
  providers
}: CloudSessionsOptions): Promise<PlainCloud> => {
  /** What this process has of these variables. Where agents are installed here, processes of this machine find them. */
  const valuesOf = (names: ReadonlyArray<string>, provider: string | undefined): Readonly<Record<string, string>> => {
    const values: Record<string, string> = {}
    for (const name of names) {
      const value = process.env[name]
      if (value !== undefined) values[name] = value
    }
    const isHere = (provider ?? providers[0]?.name) === "process"
    if (isHere && agentsFolder !== undefined) {
      values["PATH"] = [join(agentsFolder, "node_modules/.bin"), process.env["PATH"] ?? ""].join(delimiter)
    }
    return values
  }
  const broker = tokenCredentials(gitTokens())
  const { backend, ...cloud } = await createCloud({
    owner,
    providers,
    controlPlane,
    ...bridgeLifetime(),
    inner: [ptyBackend({ elsewhere: true }), codexBackend({ elsewhere: true }), opencodeBackend({ elsewhere: true })],
    credentials: broker,
    forge: (repository, sessionId) => forgeOf(repository, { broker, sessionId: sessionId as SessionId }),
    // Only what agents are given anyway: names in a spec are whoever's made the session, and these values are this process's.
    environment: (names) =>
      Effect.sync(() =>
        valuesOf(
          names.filter((name) => name === "PATH" || agentVariables.includes(name)),
          "process"
        )
      )
  })
  return {
    ...cloud,
    backend: {
      ...backend,
      // Agents are given their accounts in a sandbox as they are here; a terminal's program has what it was given by name.
      check: (spec) =>
        backend.check(isAgents(spec) ? withEnvironment(spec, valuesOf(agentVariables, spec.provider)) : spec)
    }
  }
}

/** A spec as somebody gave it, as far as this looks at it: the backend checks it. */
interface GivenSpec {
  readonly provider?: string
  readonly environment?: Readonly<Record<string, string>>
}

const isAgents = (spec: unknown): spec is GivenSpec => {
  const { inner } = (spec ?? {}) as { readonly inner?: { readonly backend?: unknown } }
  return typeof inner === "object" && inner !== null && inner.backend !== "pty"
}

const withEnvironment = (spec: GivenSpec, values: Readonly<Record<string, string>>): GivenSpec => ({
  ...spec,
  environment: { ...values, ...spec.environment }
})
