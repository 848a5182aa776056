/** What the endpoints of {@link FilesApi} do. */
import { problem, type Role, type SessionId } from "@holdfast/core"
import { Effect, Stream } from "effect"
import { HttpIncomingMessage, HttpServerResponse, Multipart } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { SessionAccess } from "../access/SessionAccess.ts"
import { type Condition, type WrittenFile, Workspaces } from "../workspace/Workspace.ts"
import { CurrentCaller } from "./Authenticated.ts"
import { HoldfastApi } from "./HoldfastApi.ts"
import { tooLarge } from "./ProblemOf.ts"
import { Refused } from "./Problems.ts"
import { contentHeaders, entityTag, parseRange, parseTag } from "./FileHeaders.ts"

const invalid = (field: string, detail: string) => new Refused({ problem: problem("invalid", detail, { field }) })

/** What `If-Match` and `If-None-Match` ask of a write. */
const conditionOf = (headers: { readonly "if-match"?: string; readonly "if-none-match"?: string }) => {
  const match = headers["if-match"]
  const none = headers["if-none-match"]
  if (match === undefined && none === undefined) return Effect.succeed<{ readonly condition?: Condition }>({})
  if (match !== undefined && none !== undefined) return invalid("if-none-match", "not both If-Match and If-None-Match")
  if (none !== undefined) {
    return none.trim() === "*"
      ? Effect.succeed({ condition: { ifMissing: true } as const })
      : invalid("if-none-match", "If-None-Match of a write is *: only if nothing is there")
  }
  if (match!.trim() === "*") return Effect.succeed({ condition: { ifExists: true } as const })
  const ifHash = parseTag(match!)
  return ifHash === undefined
    ? invalid("if-match", 'If-Match is one ETag of this server, such as "0123…", or *')
    : Effect.succeed({ condition: { ifHash } })
}

/** A body that is no longer than the server takes, whatever its length was said to be. */
const bounded = <E, R>(body: Stream.Stream<Uint8Array, E, R>): Stream.Stream<Uint8Array, E | Refused, R> =>
  Stream.unwrap(
    Effect.map(HttpIncomingMessage.MaxBodySize, (most) => {
      let left = most === undefined ? Number.POSITIVE_INFINITY : Number(most)
      return Stream.mapEffect(body, (bytes) => {
        left -= bytes.byteLength
        return left < 0 ? Effect.fail(new Refused({ problem: tooLarge })) : Effect.succeed(bytes)
      })
    })
  )

/** A name that a form gives is one name, whatever a browser put before it. */
const nameOf = (name: string): string => name.slice(Math.max(name.lastIndexOf("/"), name.lastIndexOf("\\")) + 1)

export const filesRoutes = HttpApiBuilder.group(
  HoldfastApi,
  "files",
  Effect.fnUntraced(function* (handlers) {
    const access = yield* SessionAccess
    const workspaces = yield* Workspaces
    const workspaceFor = Effect.fnUntraced(function* (sessionId: SessionId, role: Role) {
      return yield* workspaces.of(yield* access.allow(yield* CurrentCaller, sessionId, role))
    })
    return handlers.handleAll({
      list: Effect.fnUntraced(function* ({ params, query: { facts, path = "", ...options } }) {
        const { files } = yield* workspaceFor(params.sessionId, "viewer")
        const found = yield* files.facts(path)
        return found.kind === "directory" && facts !== true ? yield* files.list(path, options) : found
      }),
      read: Effect.fnUntraced(function* ({ headers, params, query: { path } }) {
        const { files } = yield* workspaceFor(params.sessionId, "viewer")
        const asked = headers.range === undefined ? undefined : parseRange(headers.range)
        // A suffix needs the length, which nobody knows before the file is looked at.
        const size = asked?.suffix === undefined ? 0 : (yield* files.facts(path)).size
        const range =
          asked === undefined
            ? undefined
            : asked.suffix === undefined
              ? asked
              : { offset: Math.max(0, size - asked.suffix), length: asked.suffix }
        const content = yield* files.read(path, range)
        const tag = content.hash === null ? undefined : entityTag(content.hash)
        const facts = contentHeaders(content.facts, tag)
        if (tag !== undefined && parseTag(headers["if-none-match"] ?? "") === content.hash) {
          return HttpServerResponse.empty({ status: 304, headers: facts })
        }
        const { length, offset } = content
        const whole = content.facts.size
        if (range !== undefined && length === 0 && whole > 0) {
          return HttpServerResponse.empty({ status: 416, headers: { ...facts, "content-range": `bytes */${whole}` } })
        }
        return HttpServerResponse.stream(content.bytes, {
          status: range === undefined ? 200 : 206,
          contentLength: length,
          contentType: facts["content-type"],
          headers:
            range === undefined
              ? facts
              : { ...facts, "content-range": `bytes ${offset}-${Math.max(offset, offset + length - 1)}/${whole}` }
        })
      }),
      write: Effect.fnUntraced(function* ({ headers, params, payload, query: { path } }) {
        const { files } = yield* workspaceFor(params.sessionId, "member")
        return yield* files.write(path, bounded(payload), { ...(yield* conditionOf(headers)), createDirectories: true })
      }),
      upload: Effect.fnUntraced(function* ({ params, payload, query: { path = "" } }) {
        const { files } = yield* workspaceFor(params.sessionId, "member")
        const written: Array<WrittenFile> = []
        const put = Effect.fnUntraced(function* (part: Multipart.Part) {
          if (!Multipart.isFile(part)) return
          const name = nameOf(part.name)
          if (name === "") return yield* invalid("files", "a file of the form has no name")
          const target = path === "" ? name : `${path.replace(/\/+$/, "")}/${name}`
          written.push(yield* files.write(target, part.content, { createDirectories: true }))
        })
        yield* Stream.runForEach(payload, put)
        if (written.length === 0) return yield* invalid("files", "the form has no file")
        return { files: written }
      }),
      exec: Effect.fnUntraced(function* ({ params, payload }) {
        const { exec } = yield* workspaceFor(params.sessionId, "member")
        return yield* exec.run(payload)
      })
    })
  })
)
