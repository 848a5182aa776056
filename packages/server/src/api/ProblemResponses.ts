/** Failures as answers, in one form: of endpoints, of what no endpoint is for, and of what Effect answers by itself. */
import { type Problem, problem } from "@holdfast/core"
import { Cause, Effect, Layer } from "effect"
import { HttpServerError, HttpServerRequest, HttpServerResponse } from "effect/http"
import { problemOf, tooLarge } from "./ProblemOf.ts"
import { HoldfastApi } from "./HoldfastApi.ts"
import { Problems } from "./Problems.ts"

/** The type of an answer that is a problem. */
export const problemType = "application/problem+json"

/** The answer that a problem is. */
export const problemResponse = (said: Problem): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.text(JSON.stringify(said), {
    status: said.status,
    contentType: problemType,
    ...(said.retryAfterMs === undefined
      ? {}
      : { headers: { "retry-after": String(Math.ceil(said.retryAfterMs / 1_000)) } })
  })

const answer = <E>(cause: Cause.Cause<E>): Effect.Effect<HttpServerResponse.HttpServerResponse, E> => {
  // The client went away, or the server stops: there is nobody to tell.
  if (Cause.hasInterruptsOnly(cause)) return Effect.failCause(cause)
  const said = problemOf(Cause.squash(cause))
  const response = problemResponse(said)
  return said.kind === "internal"
    ? Effect.as(Effect.logError("a request failed", cause), response)
    : Effect.succeed(response)
}

/** What Effect answers to a body of a type that the endpoint does not take, or that is too large, has a problem too. */
const worded = (response: HttpServerResponse.HttpServerResponse): HttpServerResponse.HttpServerResponse => {
  if (response.status < 400 || response.headers["content-type"] === problemType) return response
  if (response.status === 415) {
    const detail = "the body is of a type that this endpoint does not take: see content-type in /api/v1/openapi.json"
    return problemResponse({ ...problem("invalid", detail, { field: "content-type" }), status: 415 })
  }
  if (response.status === 413) return problemResponse(tooLarge)
  return response
}

/** Turns what endpoints fail with into problems. */
export const layerProblems: Layer.Layer<Problems> = Layer.succeed(Problems, (endpoint) =>
  Effect.matchCauseEffect(endpoint, {
    onSuccess: (response) => Effect.succeed(worded(response)),
    onFailure: answer
  })
)

/** The methods of each path of the API. */
const paths: ReadonlyArray<{ readonly pattern: RegExp; readonly methods: Set<string> }> = (() => {
  const found = new Map<string, Set<string>>()
  for (const group of Object.values(HoldfastApi.groups)) {
    for (const { method, path } of Object.values(group.endpoints)) {
      const methods = found.get(path) ?? new Set()
      found.set(path, methods.add(method))
      if (method === "GET") methods.add("HEAD")
    }
  }
  return [...found].map(([path, methods]) => ({
    pattern: new RegExp(`^${path.replaceAll(".", "\\.").replaceAll(/:\w+/g, "[^/]+")}/?$`),
    methods
  }))
})()

/** Answers what no route is for: 405 where the path has others methods, 404 where it has none. */
const unrouted = (method: string, url: string): HttpServerResponse.HttpServerResponse => {
  const path = url.split("?", 1)[0]!
  const methods = paths.find(({ pattern }) => pattern.test(path))?.methods
  if (methods === undefined || methods.has(method)) {
    return problemResponse(problem("not_found", `there is nothing at ${path.slice(0, 200)}: see /api/v1/openapi.json`))
  }
  const allow = [...methods].join(", ")
  return HttpServerResponse.setHeader(
    problemResponse({ ...problem("invalid", `this path takes ${allow}`, { field: "method" }), status: 405 }),
    "allow",
    allow
  )
}

/** Gives every request an answer: what the routes could not is a problem. */
export const withProblems = <E, R>(
  routes: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
): Effect.Effect<HttpServerResponse.HttpServerResponse, E, R | HttpServerRequest.HttpServerRequest> =>
  Effect.catchCause(routes, (cause) =>
    Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ method, url }) => {
      const failed = Cause.squash(cause)
      return HttpServerError.isHttpServerError(failed) && failed.reason._tag === "RouteNotFound"
        ? Effect.succeed(unrouted(method, url))
        : answer(cause)
    })
  )
