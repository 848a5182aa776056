/** What went wrong, for apps: one error for all that a server refuses and all that the way to it does. */
import { type CommandId, problem as makeProblem, type Problem, type ProblemKind } from "@holdfast/core"

/**
 * Something was refused or could not be done. `problem.kind` says what, `problem.detail` says it to people. Where no server
 * could be asked, the kind is `unavailable`; an aborted call rejects with the signal's reason instead, as `fetch` does.
 */
export class ClientError extends Error {
  readonly _tag = "ClientError"
  override readonly name = "ClientError"
  readonly problem: Problem
  /** The command that this is about. Sent again with this id it has no second effect, whatever became of it. */
  readonly commandId: CommandId | null

  constructor(problem: Problem, options: { readonly cause?: unknown; readonly commandId?: CommandId } = {}) {
    super(problem.detail, options.cause === undefined ? undefined : { cause: options.cause })
    this.problem = problem
    this.commandId = options.commandId ?? null
  }
}

/** Makes an error of a kind. */
export const clientError = (
  kind: ProblemKind,
  detail: string,
  more: {
    readonly field?: string
    readonly retryAfterMs?: number
    readonly cause?: unknown
    readonly commandId?: CommandId
  } = {}
): ClientError => {
  const { cause, commandId, ...fields } = more
  return new ClientError(makeProblem(kind, detail, fields), {
    cause,
    ...(commandId === undefined ? {} : { commandId })
  })
}
