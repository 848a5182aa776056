/** Workspaces that are directories of this machine: of terminals, and of agents that run here. */
import { Effect, Layer } from "effect"
import { isAbsolute } from "node:path"
import { type OpenRoot, openRoot } from "./Entry.ts"
import { attempt } from "./FilePlace.ts"
import { type ExecSlots, makeLocalExec } from "./LocalExec.ts"
import { makeLocalReads } from "./LocalReads.ts"
import { makeFileTurns, makeLocalWrites } from "./LocalWrites.ts"
import { WorkspaceError, workspaceLimits, type WorkspaceOwner, Workspaces } from "./Workspace.ts"

const noWorkspace = (detail: string) => new WorkspaceError({ reason: "no_workspace", path: "", detail })

/** How local workspaces are opened. */
export interface LocalWorkspacesOptions {
  /** How the root is opened; by descriptors on Linux and by paths elsewhere. For tests of the latter. */
  readonly open?: OpenRoot
}

/** Makes the local implementation of {@link Workspaces}. */
export const makeLocalWorkspaces = ({ open = openRoot }: LocalWorkspacesOptions = {}): typeof Workspaces.Service => {
  const turns = makeFileTurns()
  /** Commands that run, by session; sessions without any are not in it. */
  const running = new Map<string, number>()

  const slotsOf = (sessionId: string): ExecSlots => ({
    take: Effect.acquireRelease(
      Effect.suspend(() => {
        const now = running.get(sessionId) ?? 0
        if (now >= workspaceLimits.maxCommands) {
          return Effect.fail(
            new WorkspaceError({
              reason: "busy",
              path: "",
              detail: `${workspaceLimits.maxCommands} commands run in this session already: wait until one has ended`
            })
          )
        }
        running.set(sessionId, now + 1)
        return Effect.void
      }),
      () =>
        Effect.sync(() => {
          const now = running.get(sessionId)! - 1
          if (now === 0) running.delete(sessionId)
          else running.set(sessionId, now)
        })
    )
  })

  const of = Effect.fnUntraced(function* ({ sessionId, workspace: path }: WorkspaceOwner) {
    if (path === null) return yield* noWorkspace("This session has no workspace")
    // Of a session elsewhere: on this machine it would name something else.
    if (!isAbsolute(path)) return yield* noWorkspace("This session's workspace is not on the server's machine")
    const root = { path, open }
    yield* attempt("", async () => (await open(path)).close()).pipe(
      Effect.mapError(({ reason }) =>
        noWorkspace(
          reason === "denied"
            ? "The session's workspace may not be entered by the user that the server runs as"
            : "The session's workspace is not there any more"
        )
      )
    )
    return {
      files: { ...makeLocalReads(root), ...makeLocalWrites(root, turns) },
      exec: makeLocalExec(root, slotsOf(sessionId))
    }
  })
  return { of }
}

/** The directories of this machine. */
export const layerLocalWorkspaces: Layer.Layer<Workspaces> = Layer.sync(Workspaces, () => makeLocalWorkspaces())
