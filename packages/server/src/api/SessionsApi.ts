/** Sessions: list, make, look at, change and delete them. */
import { CommandJson, maxGraceMs, SessionAnswer, SessionId, SessionsAnswer, SessionStatus } from "@holdfast/core"
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { Authenticated } from "./Authenticated.ts"
import { CreatedAnswer, idempotent, ofSession, paged, ReceiptAnswer, says } from "./Parameters.ts"

const seq = Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))
const title = Schema.String.check(Schema.isMaxLength(1_000))
const reason = Schema.optionalKey(Schema.String.check(Schema.isMaxLength(10_000)))

/** Longest wait for the end of a turn before a session is moved: a day. */
const maxQuietTimeoutMs = 24 * 60 * 60 * 1_000

/** A session to make. */
export const NewSession = Schema.Struct({
  backend: Schema.String.annotate({ description: "A name of `GET /backends`." }),
  spec: Schema.Unknown.annotate({ description: "What it is to run, in that backend's terms." }),
  title: Schema.optionalKey(title),
  open: Schema.optionalKey(
    Schema.Boolean.annotate({
      description: "False: the first prompt opens it, or a member who begins to write one. True unless given."
    })
  ),
  labels: Schema.optionalKey(
    Schema.Record(Schema.String, Schema.String).annotate({
      description: "Names that begin with `holdfast.` are the server's."
    })
  ),
  sessionId: Schema.optionalKey(
    SessionId.annotate({ description: "Made by the caller, so that a repeat makes no second session." })
  ),
  ...idempotent
}).annotate({
  identifier: "NewSession",
  examples: [{ backend: "pty", spec: { profile: "shell", cwd: "/home/me/project" }, title: "Build" }]
})

/** Any command. */
export const SentCommand = Schema.Struct({
  command: CommandJson.annotate({ description: "Type and data; bytes of `terminal.write` are base64." }),
  ...idempotent
}).annotate({
  identifier: "SentCommand",
  examples: [{ command: { type: "session.rename", data: { title: "Build" } } }]
})

/** Sessions. */
export class SessionsApi extends HttpApiGroup.make("sessions")
  .add(
    HttpApiEndpoint.get("list", "/sessions", {
      query: {
        archived: Schema.optionalKey(Schema.Boolean),
        backend: Schema.optionalKey(Schema.String),
        status: Schema.optionalKey(
          Schema.Array(SessionStatus).annotate({ description: "Any of these; repeat it for several." })
        ),
        search: Schema.optionalKey(
          Schema.String.check(Schema.isMaxLength(1_000)).annotate({
            description: "Part of the title, the working directory or the id; case does not matter."
          })
        ),
        ...paged(1_000, 100)
      },
      success: SessionsAnswer.annotate({ identifier: "SessionList" })
    }).annotateMerge(says("List sessions", "The newest first. All given conditions hold together.")),
    HttpApiEndpoint.post("create", "/sessions", { payload: NewSession, success: CreatedAnswer }).annotateMerge(
      says(
        "Make a session",
        "Makes it and begins to open it, unless `open` is false; follow its events to see it open. The caller becomes its owner. A repeat with the same " +
          "`sessionId` and `commandId` gives the first receipt."
      )
    ),
    HttpApiEndpoint.get("get", "/sessions/:sessionId", {
      params: ofSession,
      success: SessionAnswer.annotate({ identifier: "Session" })
    }).annotateMerge(says("Look at a session", "Its row in the list, and the state that is folded from its events.")),
    HttpApiEndpoint.delete("remove", "/sessions/:sessionId", {
      params: ofSession,
      success: HttpApiSchema.NoContent
    }).annotateMerge(says("Delete a session", "With its log. It must have ended.")),
    HttpApiEndpoint.post("command", "/sessions/:sessionId/commands", {
      params: ofSession,
      payload: SentCommand,
      success: ReceiptAnswer
    }).annotateMerge(
      says(
        "Send a command",
        "Whatever may be asked of a session; the endpoints that change something are short for it."
      )
    ),
    HttpApiEndpoint.post("open", "/sessions/:sessionId/open", {
      params: ofSession,
      payload: Schema.Struct(idempotent),
      success: ReceiptAnswer
    }).annotateMerge(says("Open again", "After it was suspended, lost, closed or failed.")),
    HttpApiEndpoint.post("rename", "/sessions/:sessionId/rename", {
      params: ofSession,
      payload: Schema.Struct({ title: title.check(Schema.isMinLength(1)), ...idempotent }),
      success: ReceiptAnswer
    }).annotateMerge(says("Rename")),
    HttpApiEndpoint.post("archive", "/sessions/:sessionId/archive", {
      params: ofSession,
      payload: Schema.Struct(idempotent),
      success: ReceiptAnswer
    }).annotateMerge(says("Archive")),
    HttpApiEndpoint.post("unarchive", "/sessions/:sessionId/unarchive", {
      params: ofSession,
      payload: Schema.Struct(idempotent),
      success: ReceiptAnswer
    }).annotateMerge(says("Take out of the archive")),
    HttpApiEndpoint.post("suspend", "/sessions/:sessionId/suspend", {
      params: ofSession,
      payload: Schema.Struct({ reason, ...idempotent }),
      success: ReceiptAnswer
    }).annotateMerge(says("Suspend", "Puts the backend to rest, where it can be.")),
    HttpApiEndpoint.post("close", "/sessions/:sessionId/close", {
      params: ofSession,
      payload: Schema.Struct({
        reason,
        force: Schema.optionalKey(Schema.Boolean),
        graceMs: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: maxGraceMs }))),
        ...idempotent
      }),
      success: ReceiptAnswer
    }).annotateMerge(says("Close", "Ends it: politely, then after `graceMs` by force, or by force at once.")),
    HttpApiEndpoint.post("interrupt", "/sessions/:sessionId/interrupt", {
      params: ofSession,
      payload: Schema.Struct({ turnId: Schema.optionalKey(Schema.String), ...idempotent }),
      success: ReceiptAnswer
    }).annotateMerge(says("Stop the turn", "With `turnId` only that one.")),
    HttpApiEndpoint.post("fork", "/sessions/:sessionId/fork", {
      params: ofSession,
      payload: Schema.Struct({
        into: Schema.optionalKey(SessionId.annotate({ description: "The branch's id; a new one unless given." })),
        at: Schema.optionalKey(seq.annotate({ description: "The last event that both have; the head unless given." })),
        title: Schema.optionalKey(title),
        ...idempotent
      }),
      success: CreatedAnswer
    }).annotateMerge(says("Make a branch", "A new session whose history is this one's up to `at`.")),
    HttpApiEndpoint.post("handoff", "/sessions/:sessionId/handoff", {
      params: ofSession,
      payload: Schema.Struct({
        backend: Schema.String.annotate({
          description: "A name of `GET /backends`; its own, to go to another folder."
        }),
        spec: Schema.Unknown.annotate({
          description:
            "What it is to run there. A backend of the server's machine needs its `cwd`: the workspace is brought there."
        }),
        restart: Schema.optionalKey(
          Schema.Boolean.annotate({ description: "Start the program anew: the one way for what runs in a terminal." })
        ),
        timeoutMs: Schema.optionalKey(
          Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: maxQuietTimeoutMs })).annotate({
            description: "How long the end of the running turn is waited for; 600000 unless given."
          })
        ),
        ...idempotent
      }),
      success: ReceiptAnswer
    }).annotateMerge(
      says(
        "Move to another backend",
        "Once its turn has ended; prompts that come meanwhile wait. The log goes on, workspace and memory go along. Answers when the " +
          "new backend has it, and opens it; an answer that it did not go well means that nothing has changed. Going away ends it."
      )
    )
  )
  .middleware(Authenticated)
  .prefix("/api/v1")
  .annotateMerge(OpenApi.annotations({ title: "Sessions", description: "List, make, look at, change and delete." })) {}
