/** What a server is told: where it listens, who may come in, and its bounds, each with its default. */
import { ParticipantId } from "@holdfast/core"
import type { BridgeGateway } from "@holdfast/core/cloud"
import { Effect, Schema, SchemaIssue } from "effect"
import type { BridgeLimits } from "./bridge/BridgeEndpoint.ts"
import { isLoopback } from "./http/Loopback.ts"
import { defaultLiveLimits, type LiveLimits } from "./live/LiveLimits.ts"

/** How callers prove who they are. */
export type AuthOptions =
  /** Everybody is the one local owner: for loopback only. */
  | { readonly kind: "open" }
  /** Tokens signed with a secret that both sides know (HS256). */
  | {
      readonly kind: "secret"
      /** At least 32 bytes. */
      readonly secret: string
      readonly issuer?: string
      readonly audience?: string
      /** How far clocks may differ; default 30 s. */
      readonly clockSkewSeconds?: number
    }
  /** Tokens of an identity provider, checked with the keys that it publishes. */
  | {
      readonly kind: "jwks"
      readonly url: string
      readonly issuer: string
      readonly audience: string
      /** Asymmetric ones only, such as `RS256`, `ES256` and `EdDSA`. */
      readonly algorithms: ReadonlyArray<string>
      /** How far clocks may differ; default 30 s. */
      readonly clockSkewSeconds?: number
    }

/** Bounds of requests and of their number. */
export interface RequestLimits {
  /** Bytes of a request's body; past it the answer is 413. Default 1 MiB. */
  readonly maxRequestBytes?: number
  /** Bytes of a file that is written or uploaded. Default 64 MiB. */
  readonly maxUploadBytes?: number
  /** Bytes of a request's line and headers; past it the answer is 431. Default 32 KiB, which takes a token of 16. */
  readonly maxHeaderBytes?: number
  /** Requests that are answered at once, exports and event streams among them; past it the answer is 429. Default 1,000. */
  readonly maxRequests?: number
  /** Connections, live ones among them; past it new ones are closed at once. Default 10,000. */
  readonly maxConnections?: number
  /** How long a client may take to send headers. Default 20 s. */
  readonly headersTimeoutMs?: number
  /** How long a client may take to send a whole request. Default 5 minutes: a slow upload. */
  readonly requestTimeoutMs?: number
  /** How long a connection without a request is kept. Default 30 s. */
  readonly keepAliveTimeoutMs?: number
}

/** What a server is told. Everything has a default. */
export interface ServerOptions {
  /** Address or name to listen on. Default `127.0.0.1`. Any other than a loopback one needs `auth`. */
  readonly host?: string
  /** Default 4747. With 0 the system chooses one that is free. */
  readonly port?: number
  /** Default `{ kind: "open" }`. */
  readonly auth?: AuthOptions
  /** Key and certificate chain in PEM, as text. Without them it is plain HTTP. */
  readonly tls?: { readonly key: string; readonly cert: string; readonly passphrase?: string }
  /**
   * Names under which the server may be called, beside loopback ones and `host`: `holdfast.example.org`, with the port where it
   * is not the scheme's own. A request for any other is refused, which keeps rebound names out.
   */
  readonly allowedHosts?: ReadonlyArray<string>
  /** Other origins whose pages may use the API (CORS): `https://app.example.org`. Default none. */
  readonly allowedOrigins?: ReadonlyArray<string>
  /** Who a start link signs in, and everybody is on an open server. Default `{ participantId: "owner", name: "Owner" }`. */
  readonly owner?: { readonly participantId: string; readonly name: string; readonly organisation?: string }
  /**
   * Folder of what outlasts the server: its own secret and the tokens that it has revoked, readable by its user alone. Default
   * none: then cookies and tokens for one session end with the server. One server only may use it at a time.
   */
  readonly dataFolder?: string
  /** Folder of a page to serve at `/`. Default none. */
  readonly page?: string
  /** Who may read `/metrics`: whoever has a token (default), or everybody. */
  readonly metrics?: "token" | "open"
  readonly limits?: RequestLimits
  /** Bounds of live connections and event streams. */
  readonly live?: LiveLimits
  /**
   * Whose bridges are taken, at `/api/v1/bridge`: the gateway of a backend with sandboxes. Default none, and nothing is there.
   * A sandbox calls the server by whatever name its host has for it, so the names that are allowed do not count there, and
   * pages are refused: the sandbox's token alone decides.
   */
  readonly bridges?: BridgeLimits & { readonly gateway: BridgeGateway }
  /** How long requests may go on once the server stops; then they are cut. Default 10 s. */
  readonly stopDeadlineMs?: number
  /** After how long live clients are told to come back when the server stops. Default 2 s. */
  readonly retryAfterMs?: number
}

const defaulted = <S extends Schema.Top>(schema: S, value: S["Encoded"]) =>
  schema.pipe(Schema.withDecodingDefaultKey(Effect.succeed(value) as never))

const text = Schema.String.check(Schema.isMinLength(1))
const whole = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))
const day = 86_400_000
const gigabyte = 1024 ** 3

const Secret = text.check(
  Schema.makeFilter((secret: string) =>
    new TextEncoder().encode(secret).byteLength < 32
      ? "at least 32 bytes: `openssl rand -base64 32` makes them"
      : undefined
  )
)
const skew = defaulted(whole(0, 600), 30)
const asymmetric = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"]

const Auth = Schema.Union([
  Schema.Struct({ kind: Schema.Literal("open") }),
  Schema.Struct({
    kind: Schema.Literal("secret"),
    secret: Secret,
    issuer: Schema.optionalKey(text),
    audience: Schema.optionalKey(text),
    clockSkewSeconds: skew
  }),
  Schema.Struct({
    kind: Schema.Literal("jwks"),
    url: text,
    issuer: text,
    audience: text,
    algorithms: Schema.Array(Schema.Literals(asymmetric)).check(Schema.isMinLength(1)),
    clockSkewSeconds: skew
  })
])

const Limits = Schema.Struct({
  maxRequestBytes: defaulted(whole(1024, gigabyte), 1024 * 1024),
  maxUploadBytes: defaulted(whole(1024, 4 * gigabyte), 64 * 1024 * 1024),
  maxHeaderBytes: defaulted(whole(4 * 1024, 1024 * 1024), 32 * 1024),
  maxRequests: defaulted(whole(1, 1_000_000), 1_000),
  maxConnections: defaulted(whole(1, 1_000_000), 10_000),
  headersTimeoutMs: defaulted(whole(100, day), 20_000),
  requestTimeoutMs: defaulted(whole(100, day), 300_000),
  keepAliveTimeoutMs: defaulted(whole(0, day), 30_000)
})

/** Each a whole number above 0, whose default is `defaultLiveLimits`. */
const Live = Schema.Struct(
  Object.fromEntries(
    Object.entries(defaultLiveLimits).map(([name, value]) => [name, defaulted(whole(1, gigabyte), value)])
  )
) as unknown as Schema.Codec<Required<LiveLimits>, LiveLimits>

/** What takes bridges has a method for it; what it does is its own. */
const Gateway = Schema.declare(
  (value: unknown): value is BridgeGateway =>
    typeof value === "object" && value !== null && typeof (value as Partial<BridgeGateway>).admit === "function",
  { expected: "the gateway of a backend with sandboxes" }
)

/** Bounds of the endpoint of bridges. */
export const BridgeBounds = Schema.Struct({
  maxConnections: defaulted(whole(1, 100_000), 1_000),
  maxAdmitting: defaulted(whole(1, 100_000), 100)
})

/** The options as a server uses them: checked, with defaults. */
export const ServerConfig = Schema.Struct({
  host: defaulted(text, "127.0.0.1"),
  port: defaulted(whole(0, 65_535), 4747),
  auth: defaulted(Auth, { kind: "open" }),
  tls: Schema.optionalKey(Schema.Struct({ key: text, cert: text, passphrase: Schema.optionalKey(Schema.String) })),
  allowedHosts: defaulted(Schema.Array(text), []),
  allowedOrigins: defaulted(
    Schema.Array(
      Schema.String.check(
        Schema.isPattern(/^https?:\/\/[^/?#@]+$/, { expected: "an origin such as https://app.example.org" })
      )
    ),
    []
  ),
  owner: Schema.optionalKey(
    Schema.Struct({ participantId: ParticipantId, name: text, organisation: Schema.optionalKey(text) })
  ),
  dataFolder: Schema.optionalKey(text),
  page: Schema.optionalKey(text),
  metrics: defaulted(Schema.Literals(["token", "open"]), "token"),
  limits: defaulted(Limits, {}),
  live: defaulted(Live, {}),
  bridges: Schema.optionalKey(Schema.Struct({ gateway: Gateway, ...BridgeBounds.fields })),
  stopDeadlineMs: defaulted(whole(0, 600_000), 10_000),
  retryAfterMs: defaulted(whole(0, 600_000), 2_000)
})
export type ServerConfig = typeof ServerConfig.Type

/** Options that no server can be made of; nothing was opened. */
export class ServerOptionsInvalid extends Schema.TaggedError<ServerOptionsInvalid>(
  "@holdfast/server/ServerOptionsInvalid"
)("ServerOptionsInvalid", {
  /** Path of the bad option: `limits.maxRequests`. */
  field: Schema.String,
  /** What it has to be, or what to do. */
  expected: Schema.String
}) {
  override get message() {
    return `The server's option ${this.field} is not valid: expected ${this.expected}`
  }
}

const decode = Schema.decodeUnknownEffect(ServerConfig, { onExcessProperty: "error" })
const issuesOf = SchemaIssue.makeFormatterStandardSchemaV1()

/** Checks options and fills in the defaults. Refuses to open a server without auth to other machines. */
export const decodeServerOptions = (options: ServerOptions): Effect.Effect<ServerConfig, ServerOptionsInvalid> =>
  decode(options).pipe(
    Effect.mapError((error) => {
      const issue = issuesOf(error.issue).issues[0]
      const path = (issue?.path ?? []).map((key) => String(typeof key === "object" ? key.key : key)).join(".")
      const expected = (issue?.message ?? error.message).replace(/^Expected /, "").replace(/^Missing key/, "a value")
      return new ServerOptionsInvalid({ field: path === "" ? "options" : path, expected })
    }),
    Effect.flatMap((config) =>
      config.auth.kind === "open" && !isLoopback(config.host)
        ? Effect.fail(
            new ServerOptionsInvalid({
              field: "auth",
              expected:
                `a secret or a jwks url, because ${config.host} can be reached from other machines and everybody there ` +
                `would be the owner; or leave host at 127.0.0.1`
            })
          )
        : Effect.succeed(config)
    )
  )
