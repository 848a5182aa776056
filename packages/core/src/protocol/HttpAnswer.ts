/**
 * What the HTTP API answers, in JSON: the schemas that the server encodes with and the client decodes with. What stands
 * elsewhere already (`SessionSummary`, `Receipt`, `Identity`, `Problem`, `EventRecordJson`) is used as it is.
 */
import * as Schema from "effect/Schema"
import { Capabilities } from "../Capabilities.ts"
import { Artifact, Role, Usage } from "../Content.ts"
import { EventRecordJson } from "../EventRecord.ts"
import { SessionId } from "../Ids.ts"
import type { SessionState } from "../SessionState.ts"
import { SessionSummary } from "../SessionSummary.ts"
import type { FileTotals, TimelineEntry } from "../TimelineEntry.ts"

const seq = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

/** `GET /backends`: what sessions can run on. */
export const BackendAnswer = Schema.Struct({
  name: Schema.String,
  /** What its sessions can do, as far as it is known before one is open. */
  capabilities: Capabilities,
  /** Where its sessions can run, the default first: sandbox providers. Left out: on the server's machine. */
  places: Schema.optionalKey(Schema.Array(Schema.String))
})
export type BackendAnswer = typeof BackendAnswer.Type

/** `GET /sessions`: newest first. */
export const SessionsAnswer = Schema.Struct({
  sessions: Schema.Array(SessionSummary),
  /** `cursor` of the next page; left out on the last. */
  next: Schema.optionalKey(Schema.String)
})
export type SessionsAnswer = typeof SessionsAnswer.Type

/** `GET /sessions/:id`. */
export const SessionAnswer = Schema.Struct({
  summary: SessionSummary,
  state: Schema.Unknown as unknown as Schema.Codec<SessionState, unknown>
})
export type SessionAnswer = typeof SessionAnswer.Type

/** `GET /sessions/:id/events`: a page of the log; payloads are in base64. With `before`, `exact` or `snapshot` as well. */
export const EventsAnswer = Schema.Union([
  Schema.Struct({
    answer: Schema.Literal("exact"),
    events: Schema.Array(EventRecordJson),
    cursor: seq,
    head: seq
  }),
  Schema.Struct({
    answer: Schema.Literal("snapshot"),
    wholeAt: seq,
    covering: Schema.Array(EventRecordJson),
    events: Schema.Array(EventRecordJson),
    cursor: seq,
    head: seq
  }),
  Schema.Struct({
    answer: Schema.Literal("gap"),
    reason: Schema.Literals(["ahead", "corrupt", "missing", "removed"]),
    from: seq,
    to: seq,
    detail: Schema.String,
    cursor: seq,
    head: seq
  })
])
export type EventsAnswer = typeof EventsAnswer.Type

/** `GET /sessions/:id/timeline`: folded on the server. */
export const TimelineAnswer = Schema.Struct({
  /** The last event that is folded in. */
  seq,
  /** Entries that there ever were. */
  total: Schema.Int,
  /** The newest of them, oldest first. */
  entries: Schema.Array(Schema.Unknown as unknown as Schema.Codec<TimelineEntry, unknown>),
  usage: Usage,
  files: Schema.Unknown as unknown as Schema.Codec<FileTotals, unknown>
})
export type TimelineAnswer = typeof TimelineAnswer.Type

/** `GET /sessions/:id/screen`: what the terminal showed. */
export const ScreenAnswer = Schema.Struct({
  /** The last event whose output it shows. */
  seq,
  /** Bytes of terminal output until then. */
  offset: Schema.Number,
  cols: Schema.Int,
  rows: Schema.Int,
  title: Schema.NullOr(Schema.String),
  /** Written to a fresh terminal of this size, it shows the same. */
  ansi: Schema.String,
  /** The text of the screen, top to bottom, without trailing blanks. */
  lines: Schema.Array(Schema.String)
})
export type ScreenAnswer = typeof ScreenAnswer.Type

/** `GET /sessions/:id/artifacts`, and what `POST` and `PUT` below it name. */
export const ArtifactAnswer = Schema.Struct({ artifactId: Schema.String, artifact: Artifact })
export type ArtifactAnswer = typeof ArtifactAnswer.Type

/** What something in a workspace is: a page of a directory has these, `GET …/files?path=` of anything else is one. */
export const FileAnswer = Schema.Struct({
  /** From the workspace's root, with `/` between names; empty for the root. */
  path: Schema.String,
  /** The last of its names; empty for the root. */
  name: Schema.String,
  /** In a listing a link is a `link`; elsewhere links are followed. `other`: pipes, sockets and devices. */
  kind: Schema.Literals(["file", "directory", "link", "other"]),
  /** In bytes. */
  size: Schema.Number,
  /** In milliseconds since 1970. */
  modifiedAt: Schema.Number,
  executable: Schema.Boolean,
  /** What a link in a listing says, as it stands there. */
  target: Schema.optionalKey(Schema.String)
})
export type FileAnswer = typeof FileAnswer.Type

/** `GET /sessions/:id/files?path=` of a directory: a page, sorted by name. */
export const DirectoryAnswer = Schema.Struct({
  path: Schema.String,
  entries: Schema.Array(FileAnswer),
  /** How many there are on all pages. */
  total: Schema.Int,
  /** `after` of the next page; left out on the last. */
  next: Schema.optionalKey(Schema.String)
})
export type DirectoryAnswer = typeof DirectoryAnswer.Type

/** A file that was written: `PUT …/files/content?path=`. */
export const WrittenAnswer = Schema.Struct({
  facts: FileAnswer,
  /** SHA-256 of the content in lower-case hexadecimal digits; `If-Match` takes it, in quotes. */
  hash: Schema.String,
  created: Schema.Boolean
})
export type WrittenAnswer = typeof WrittenAnswer.Type

/** `POST …/files/upload`: the files that were written. */
export const UploadAnswer = Schema.Struct({ files: Schema.Array(WrittenAnswer) })
export type UploadAnswer = typeof UploadAnswer.Type

/** `POST …/exec`: what a command did. Outputs are base64 in JSON. */
export const ExecAnswer = Schema.Struct({
  /** Null where a signal ended it. */
  exitCode: Schema.NullOr(Schema.Int),
  signal: Schema.NullOr(Schema.String),
  /** The first 1 MiB. */
  stdout: Schema.Uint8ArrayFromBase64,
  stderr: Schema.Uint8ArrayFromBase64,
  /** There was more of either. */
  truncated: Schema.Boolean,
  /** It was ended because its time was over. */
  timedOut: Schema.Boolean,
  durationMs: Schema.Number
})
export type ExecAnswer = typeof ExecAnswer.Type

/** `POST /auth/tokens`: a token for one session and role. */
export const ScopedTokenAnswer = Schema.Struct({
  token: Schema.String,
  tokenId: Schema.String,
  sessionId: SessionId,
  role: Role,
  /** In milliseconds since 1970. */
  expiresAt: Schema.Number
})
export type ScopedTokenAnswer = typeof ScopedTokenAnswer.Type
