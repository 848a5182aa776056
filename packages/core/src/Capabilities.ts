/** What a backend can do. `decide` refuses a command that the backend cannot perform before anything is logged. */
import * as Schema from "effect/Schema"

/** Every flag defaults to false where a backend does not say. */
export const Capabilities = Schema.Struct({
  /** Has a real terminal: bytes, resize, keystrokes. */
  terminal: Schema.Boolean,
  /** Takes prompts and reports turns and items. */
  prompts: Schema.Boolean,
  /** Takes a prompt into a running turn. */
  steer: Schema.Boolean,
  /** Can interrupt a running turn. */
  interrupt: Schema.Boolean,
  /** Asks for permissions. */
  permissions: Schema.Boolean,
  /** Asks questions. */
  questions: Schema.Boolean,
  /** Can go on with a native session after its own restart. */
  resume: Schema.Boolean,
  /** Can branch a native session. */
  fork: Schema.Boolean,
  /** Takes a choice of model, effort or mode. */
  configure: Schema.Boolean,
  /** Can be put to rest and woken later. */
  suspend: Schema.Boolean,
  /** Can deliver operating system signals. */
  signals: Schema.Boolean,
  /** Can shorten what the model is given of the conversation. Absent, like the following, means it cannot. */
  compact: Schema.optionalKey(Schema.Boolean),
  /** Can take turns back, with the files that they changed where it kept them, and restore them. */
  revert: Schema.optionalKey(Schema.Boolean),
  /** Keeps archived sessions apart. */
  archive: Schema.optionalKey(Schema.Boolean),
  /** Can stop one tool call, such as a command that goes on in the background. */
  stopItems: Schema.optionalKey(Schema.Boolean),
  /** Goes on while no runtime looks, and is taken up again by the next one: nothing is lost by a restart. */
  reattach: Schema.optionalKey(Schema.Boolean),
  /** Its workspace is a git repository: commit, push, pull requests. */
  workspace: Schema.optionalKey(Schema.Boolean)
})
export type Capabilities = typeof Capabilities.Type

/** A backend that can do nothing: spread it and set what is true. */
export const noCapabilities: Capabilities = {
  terminal: false,
  prompts: false,
  steer: false,
  interrupt: false,
  permissions: false,
  questions: false,
  resume: false,
  fork: false,
  configure: false,
  suspend: false,
  signals: false,
  compact: false,
  revert: false,
  archive: false,
  stopItems: false,
  reattach: false,
  workspace: false
}
