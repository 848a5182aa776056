/** How plain code refuses a request: with a problem, as everything else does. */
import type { Problem } from "@holdfast/core"
import type { ServerResponse } from "node:http"
import { problemType } from "../api/ProblemResponses.ts"

/** Answers; `head` are names and values of headers in turn. */
export const refuseRequest = (response: ServerResponse, why: Problem, head: ReadonlyArray<string>): void => {
  const body = JSON.stringify(why)
  const more = ["content-type", problemType, "content-length", String(Buffer.byteLength(body))]
  if (why.retryAfterMs !== undefined) more.push("retry-after", String(Math.ceil(why.retryAfterMs / 1_000)))
  if (why.status === 401) more.push("www-authenticate", "Bearer")
  response.writeHead(why.status, [...head, ...more]).end(body)
}
