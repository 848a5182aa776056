/** What the command's exit code says, and what it says on stderr: one place for every error that can reach the top. */
import type {
  BackendLost,
  CommandRejected,
  EventInvalid,
  LogUnavailable,
  SessionNotFound,
  SpecInvalid
} from "@holdfast/core"
import type { ScreenUnavailable } from "@holdfast/runtime"
import * as Cause from "effect/Cause"
import { isCliError } from "effect/cli/CliError"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"

/** Exit codes of `holdfast`; `run` and `attach` add those of the command that they ran. See docs/cli.md. */
export const exitCodes = {
  ok: 0,
  usage: 1,
  notFound: 2,
  refused: 3,
  unavailable: 4,
  /** The agent's turn failed, or there was none. */
  failed: 5,
  /** The program to run does not exist, as shells say it. */
  noSuchProgram: 127,
  interrupted: 130
} as const

/** Nobody reads our output any more (`| head`): we stop, and nothing is wrong. */
export class OutputClosed extends Schema.TaggedError<OutputClosed>("OutputClosed")("OutputClosed", {}) {
  override get message() {
    return "nobody reads the output any more"
  }
}

/** The command ends with this code; all that there is to say has been said. */
export class EndWith extends Schema.TaggedError<EndWith>("EndWith")("EndWith", { code: Schema.Int }) {
  override get message() {
    return `exit code ${this.code}`
  }
}

/** What the person asked for cannot be done: says why, and what to do. */
export class Refused extends Schema.TaggedError<Refused>("Refused")("Refused", {
  code: Schema.Int,
  detail: Schema.String
}) {
  override get message() {
    return this.detail
  }
}

/** A wrong flag or argument. */
export const usage = (detail: string): Refused => new Refused({ code: exitCodes.usage, detail })

type LibraryError =
  BackendLost | CommandRejected | EventInvalid | LogUnavailable | ScreenUnavailable | SessionNotFound | SpecInvalid

const libraryCode = (error: LibraryError): number => {
  switch (error._tag) {
    case "SessionNotFound":
    case "ScreenUnavailable":
      return exitCodes.notFound
    case "CommandRejected":
      if (error.reason === "not_found") return exitCodes.notFound
      return error.reason === "invalid" ? exitCodes.usage : exitCodes.refused
    case "SpecInvalid":
      return error.field === "command" ? exitCodes.noSuchProgram : exitCodes.usage
    case "EventInvalid":
      return exitCodes.usage
    case "LogUnavailable":
    case "BackendLost":
      return exitCodes.unavailable
  }
}

const libraryTags: { readonly [Tag in LibraryError["_tag"]]: true } = {
  BackendLost: true,
  CommandRejected: true,
  EventInvalid: true,
  LogUnavailable: true,
  ScreenUnavailable: true,
  SessionNotFound: true,
  SpecInvalid: true
}

/** By tag: errors of a library that only some commands load, and that may have come over the owner's socket. */
const isLibraryError = (error: unknown): error is LibraryError =>
  error instanceof Error && "_tag" in error && typeof error._tag === "string" && Object.hasOwn(libraryTags, error._tag)

/** How the whole command ended. */
export interface Ending {
  readonly code: number
  /** For stderr. */
  readonly message?: string
}

/** Reads the end of the command from its exit. A defect is a bug, and shows its stack. */
export const endingOf = (exit: Exit.Exit<unknown, unknown>): Ending => {
  if (Exit.isSuccess(exit)) return { code: exitCodes.ok }
  if (Cause.hasInterruptsOnly(exit.cause)) return { code: exitCodes.interrupted }
  const error = Cause.squash(exit.cause)
  if (error instanceof OutputClosed) return { code: exitCodes.ok }
  if (error instanceof EndWith) return { code: error.code }
  // effect/cli has shown the error and how the command is used.
  if (isCliError(error)) return { code: error._tag === "ShowHelp" && error.errors.length === 0 ? 0 : exitCodes.usage }
  if (error instanceof Refused) return { code: error.code, message: error.message }
  if (isLibraryError(error)) return { code: libraryCode(error), message: error.message }
  return { code: exitCodes.usage, message: `this is a bug in holdfast:\n${Cause.pretty(exit.cause)}` }
}
