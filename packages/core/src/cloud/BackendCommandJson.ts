/** A backend's command in JSON, for the wire to a sandbox. Keystrokes have a frame of their own. */
import * as Schema from "effect/Schema"
import type { BackendCommand } from "../Backend.ts"
import { ContentBlock, PermissionOutcome, QuestionOutcome } from "../Content.ts"
import { ItemId, PromptId, RequestId, TurnId } from "../Ids.ts"
import { Delivery, TerminalDimension } from "../SessionEvent.ts"
import { CommitAuthor, WorkspaceAction } from "../WorkspaceAction.ts"

const optional = Schema.optionalKey
const type = <T extends string>(name: T) => Schema.Literal(name)

/** Every command but `write`. */
export const BackendCommandJson = Schema.Union([
  Schema.Struct({
    type: type("prompt"),
    promptId: PromptId,
    content: Schema.Array(ContentBlock),
    delivery: Delivery,
    turnId: optional(TurnId),
    author: optional(CommitAuthor)
  }),
  Schema.Struct({ type: type("interrupt"), turnId: TurnId }),
  Schema.Struct({ type: type("resolvePermission"), requestId: RequestId, outcome: PermissionOutcome }),
  Schema.Struct({ type: type("answerQuestion"), requestId: RequestId, outcome: QuestionOutcome }),
  Schema.Struct({ type: type("resize"), cols: TerminalDimension, rows: TerminalDimension }),
  Schema.Struct({ type: type("signal"), signal: Schema.String }),
  Schema.Struct({
    type: type("configure"),
    model: optional(Schema.String),
    effort: optional(Schema.String),
    mode: optional(Schema.String)
  }),
  Schema.Struct({ type: type("compact") }),
  Schema.Struct({ type: type("revert"), turnId: TurnId }),
  Schema.Struct({ type: type("restore") }),
  Schema.Struct({ type: type("stopItem"), itemId: ItemId }),
  Schema.Struct({ type: type("archive"), archived: Schema.Boolean }),
  Schema.Struct({ type: type("fork"), throughTurn: optional(TurnId) }),
  Schema.Struct({ type: type("suspend") }),
  Schema.Struct({ type: type("close"), force: Schema.Boolean, graceMs: Schema.Finite }),
  Schema.Struct({ type: type("workspace"), action: WorkspaceAction })
])
export type BackendCommandJson = typeof BackendCommandJson.Type

/** The compiler's word that no command was forgotten. */
export type CommandsOnTheWire =
  Exclude<BackendCommand, { readonly type: "write" } | { readonly type: "watched" }> extends BackendCommandJson
    ? true
    : never
const complete: CommandsOnTheWire = true
void complete
