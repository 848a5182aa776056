/** A session's workspace: files, and commands that are run once. */
import { DirectoryAnswer, ExecAnswer, FileAnswer, UploadAnswer, WrittenAnswer } from "@holdfast/core"
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { workspaceLimits } from "../workspace/Workspace.ts"
import { Authenticated } from "./Authenticated.ts"
import { ofSession, says } from "./Parameters.ts"

const path = Schema.String.annotate({
  description: "From the workspace's root, with `/` between names; empty for the root."
})
const condition = (of: string) =>
  Schema.optionalKey(Schema.String.check(Schema.isMaxLength(1_024)).annotate({ description: of }))

/** A command to run once. */
export const ExecBody = Schema.Struct({
  command: Schema.String.annotate({ description: "A name on the PATH, or a path from the directory that it runs in." }),
  args: Schema.optionalKey(Schema.Array(Schema.String)),
  shell: Schema.optionalKey(Schema.Boolean.annotate({ description: "`command` is a line for the system's shell." })),
  directory: Schema.optionalKey(Schema.String.annotate({ description: "Of the workspace; its root unless given." })),
  input: Schema.optionalKey(Schema.String.annotate({ description: "What it reads from its standard input." })),
  timeoutMs: Schema.optionalKey(
    Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: workspaceLimits.maxTimeoutMs })).annotate({
      description: "Then it is ended with all that it started. 60,000 unless given."
    })
  )
}).annotate({ identifier: "Exec", examples: [{ command: "git", args: ["status", "--short"] }] })

/** Workspaces. */
export class FilesApi extends HttpApiGroup.make("files")
  .add(
    HttpApiEndpoint.get("list", "/sessions/:sessionId/files", {
      params: ofSession,
      query: {
        path: Schema.optionalKey(path),
        facts: Schema.optionalKey(Schema.Boolean.annotate({ description: "Facts of a directory, not what is in it." })),
        after: Schema.optionalKey(
          Schema.String.annotate({ description: "Only names after this one: the `next` of the page before." })
        ),
        limit: Schema.optionalKey(
          Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: workspaceLimits.maxListPage }))
        )
      },
      success: [DirectoryAnswer.annotate({ identifier: "Directory" }), FileAnswer.annotate({ identifier: "File" })]
    }).annotateMerge(says("List a directory", "Sorted by name, 1,000 a page; of anything else, its facts.")),
    HttpApiEndpoint.get("read", "/sessions/:sessionId/files/content", {
      params: ofSession,
      query: { path },
      headers: {
        range: condition("One range of bytes, `bytes=0-1023`: the answer is then 206."),
        "if-none-match": condition("The `ETag` that you have: 304 where it is still the content.")
      },
      success: HttpApiSchema.StreamUint8Array()
    }).annotateMerge(says("Read a file", "Its bytes, streamed. The `ETag` is the SHA-256 of the content.")),
    HttpApiEndpoint.put("write", "/sessions/:sessionId/files/content", {
      params: ofSession,
      query: { path },
      headers: {
        "if-match": condition("The `ETag` that is to be replaced, or `*`: only if it is there."),
        "if-none-match": condition("`*`: only if nothing is there.")
      },
      payload: HttpApiSchema.StreamUint8Array(),
      success: [WrittenAnswer.annotate({ identifier: "WrittenFile" })]
    }).annotateMerge(
      says(
        "Write a file",
        "Puts the whole body in place at once: whoever reads sees the old content or the new. Directories on the way are made."
      )
    ),
    HttpApiEndpoint.post("upload", "/sessions/:sessionId/files/upload", {
      params: ofSession,
      query: { path: Schema.optionalKey(path) },
      payload: Schema.Struct({ files: Schema.Array(Schema.Unknown) }).pipe(HttpApiSchema.asMultipartStream()),
      success: UploadAnswer.annotate({ identifier: "UploadedFiles" })
    }).annotateMerge(says("Upload files", "A form with files, each put under its own name into the directory `path`.")),
    HttpApiEndpoint.post("exec", "/sessions/:sessionId/exec", {
      params: ofSession,
      payload: ExecBody,
      success: ExecAnswer.annotate({ identifier: "ExecResult" })
    }).annotateMerge(
      says(
        "Run a command once",
        "To its end. It can do whatever the session's own programs can: the workspace is no fence for it."
      )
    )
  )
  .middleware(Authenticated)
  .prefix("/api/v1")
  .annotateMerge(OpenApi.annotations({ title: "Workspace", description: "Files and one-off commands." })) {}
