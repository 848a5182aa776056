/** Everything that answers HTTP requests: the API with its documents, and the page. */
import { type EventLog, problem } from "@holdfast/core"
import type { Holdfast } from "@holdfast/runtime"
import { NodeHttpServer } from "@effect/platform-node"
import { ByteSize, Effect, Layer, Scope } from "effect"
import { HttpIncomingMessage, HttpRouter, HttpServerRequest, HttpServerResponse, HttpStaticServer } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { SessionAccess } from "../access/SessionAccess.ts"
import type { Sharing } from "../access/Sharing.ts"
import { docsPath, docsPolicy, layerApiDocs, openApiPath } from "../api/ApiDocs.ts"
import { artifactsRoutes } from "../api/ArtifactsRoutes.ts"
import { authRoutes, signInRoutes } from "../api/AuthRoutes.ts"
import { filesRoutes } from "../api/FilesRoutes.ts"
import { HoldfastApi } from "../api/HoldfastApi.ts"
import { logRoutes } from "../api/LogRoutes.ts"
import { participantsRoutes } from "../api/ParticipantsRoutes.ts"
import { layerProblems, withProblems } from "../api/ProblemResponses.ts"
import { tooLarge } from "../api/ProblemOf.ts"
import { promptsRoutes } from "../api/PromptsRoutes.ts"
import { requestsRoutes } from "../api/RequestsRoutes.ts"
import { healthRoutes, serverRoutes } from "../api/ServerRoutes.ts"
import { sessionsRoutes } from "../api/SessionsRoutes.ts"
import { workspaceRoutes } from "../api/WorkspaceRoutes.ts"
import { layerAuthenticated } from "../auth/AuthMiddleware.ts"
import type { Authenticator } from "../auth/Authenticator.ts"
import type { RequestGuard } from "../auth/RequestGuard.ts"
import type { EventStreams } from "../live/EventStream.ts"
import type { ServerConfig } from "../ServerOptions.ts"
import type { Workspaces } from "../workspace/Workspace.ts"
import { countAnswer } from "../Metrics.ts"
import { makeCommandRequests } from "./CommandRequests.ts"
import { refuseRequest } from "./refuseRequest.ts"
import { apiPolicy, pagePolicy, securityHeaders, strictTransport } from "./SecurityHeaders.ts"

/** Longest id in a path, in the characters that it takes there: 256 of them, each in up to nine. */
const maxParameter = 256 * 9

/** What takes files, and so a larger body than the others. */
const isUpload = /^\/api\/v1\/sessions\/[^/]+\/files\/(?:content|upload)$/

const isApi = (path: string): boolean =>
  path.startsWith("/api/") || path === "/healthz" || path === "/readyz" || path === "/metrics"

/** Files of the page whose names change with their content. */
const isHashed = (path: string): boolean => path.startsWith("/assets/")

/** What answering needs beside the services. */
export interface ServerAppOptions {
  readonly config: ServerConfig
  readonly guard: RequestGuard
  /** Whether the server is about to stop. */
  readonly isStopping: () => boolean
  readonly streams: Pick<EventStreams, "open">
}

type Services = Authenticator | EventLog | Holdfast | SessionAccess | Sharing | Workspaces

const routes = ({ config, guard, isStopping, streams }: ServerAppOptions) =>
  Layer.mergeAll(
    HttpApiBuilder.layer(HoldfastApi, { openapiPath: openApiPath }).pipe(
      Layer.provide([
        serverRoutes,
        sessionsRoutes,
        promptsRoutes,
        requestsRoutes,
        participantsRoutes,
        artifactsRoutes,
        logRoutes(streams),
        filesRoutes,
        workspaceRoutes,
        signInRoutes(guard),
        authRoutes,
        healthRoutes({ guard, isStopping, metrics: config.metrics })
      ]),
      Layer.provide([layerProblems, layerAuthenticated(guard)])
    ),
    layerApiDocs
  )

const withDocsPolicy = <E, R>(app: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>) =>
  Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ url }) =>
    url.split("?", 1)[0] !== docsPath
      ? app
      : Effect.map(app, (response) => {
          const policy = response.status === 200 ? docsPolicy(response) : undefined
          return policy === undefined
            ? response
            : HttpServerResponse.setHeader(response, "content-security-policy", policy)
        })
  )

/** Makes the listener for requests. The requests that it answers end with the scope. */
export const makeServerApp = Effect.fnUntraced(function* (
  options: ServerAppOptions
): Effect.fn.Return<(request: IncomingMessage, response: ServerResponse) => void, never, Services | Scope.Scope> {
  const { config, guard } = options
  // Of their own: what ends with this scope later than the app, such as the wait for requests, must not find them gone.
  const scope = yield* Scope.fork(yield* Scope.Scope)
  const platform = yield* Layer.build(NodeHttpServer.layerHttpServices)
  const app = yield* HttpRouter.toHttpEffect(routes(options)).pipe(
    Effect.provideContext(platform),
    Effect.provideService(HttpRouter.RouterConfig, { maxParamLength: maxParameter })
  )
  const handlerOf = (
    answered: Effect.Effect<
      HttpServerResponse.HttpServerResponse,
      unknown,
      HttpServerRequest.HttpServerRequest | Scope.Scope | Services
    >,
    maxBytes: number
  ) =>
    NodeHttpServer.makeHandler(answered, { scope }).pipe(
      Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.bytes(maxBytes))
    )
  const api = withDocsPolicy(withProblems(app))
  const handle = yield* handlerOf(api, config.limits.maxRequestBytes)
  const handleUpload = yield* handlerOf(api, config.limits.maxUploadBytes)
  const page =
    config.page === undefined
      ? undefined
      : yield* HttpStaticServer.make({ root: config.page, spa: true }).pipe(
          Effect.provideContext(platform),
          Effect.map(withProblems),
          Effect.flatMap((files) => handlerOf(files, 0)),
          Effect.orDie
        )
  const commands = yield* Scope.provide(makeCommandRequests(guard), scope)
  const always = (config.tls === undefined ? securityHeaders : [...securityHeaders, strictTransport]).flat()
  const headOf = (policy: string, cache: string) =>
    always.concat("content-security-policy", policy, "cache-control", cache)
  const heads = {
    api: headOf(apiPolicy, "no-store"),
    hashed: headOf(pagePolicy, immutable),
    page: headOf(pagePolicy, "no-cache")
  }
  const context = yield* Effect.context<never>()
  let answering = 0

  return (request, response) => {
    const { headers: asked, method, url = "/" } = request
    const query = url.indexOf("?")
    const path = query === -1 ? url : url.slice(0, query)
    const ofApi = isApi(path)
    const kind = ofApi ? heads.api : isHashed(path) ? heads.hashed : heads.page
    const preflight = guard.preflight(method, asked)
    if (preflight !== undefined) {
      return void response.writeHead(preflight.status, [...kind, ...Object.entries(preflight.headers).flat()]).end()
    }
    const head = [...kind, ...Object.entries(guard.corsHeaders(asked)).flat()]

    // What watches a server calls it by its address, and learns nothing here.
    const isHealth = path === "/healthz" || path === "/readyz"
    const wrong = isHealth ? undefined : guard.check(asked)
    if (wrong !== undefined) return refuseRequest(response, wrong, head)
    if (answering >= config.limits.maxRequests && !isHealth) return refuseRequest(response, tooMany, head)
    const upload = ofApi && isUpload.test(path)
    const { maxRequestBytes, maxUploadBytes } = config.limits
    if (Number(asked["content-length"] ?? 0) > (upload ? maxUploadBytes : maxRequestBytes)) {
      // Whatever is still to come is not read.
      return refuseRequest(response, tooLarge, [...head, "connection", "close"])
    }
    answering++
    response.once("close", () => {
      answering--
      countAnswer(response.statusCode, context)
    })
    if (ofApi && commands.take(request, response, head)) return
    for (let at = 0; at < head.length; at += 2) response.setHeader(head[at]!, head[at + 1]!)
    if (ofApi) return upload ? handleUpload(request, response) : handle(request, response)
    if (page !== undefined && (method === "GET" || method === "HEAD")) return page(request, response)
    return handle(request, response)
  }
})

const immutable = "public, max-age=31536000, immutable"

const tooMany = problem("busy", "this server answers as many requests as it may: try again", { retryAfterMs: 1_000 })
