/**
 * The files that a turn changed, each change told once: an editing tool's by the tool, with its own difference; the rest,
 * such as what a command wrote, by the server's comparison of the whole turn, which it computes after the turn's end.
 */
import type { BackendEvent, ItemId, TurnId } from "@holdfast/core"
import { note } from "@holdfast/core"
import { isAbsolute } from "node:path/posix"
import { absolutePath, changeOf, counted, type FileChange, type Overwrite } from "./OpencodeTools.ts"
import { FileDiff, lenientDecoder } from "./OpencodeWire.ts"

/** Turns whose comparison may still come: the newest eight. It takes the server some 100 ms. */
const maxTurns = 8

/** Files of one comparison that are told: 500. Whoever generates more does not read them as differences. */
const maxFiles = 500

/** Longest difference that is told, in characters: 256 Ki. A longer one is told by its counts alone. */
const maxDiff = 256 * 1024

interface TurnFiles {
  readonly turnId: TurnId
  /** Paths that were told. */
  readonly told: Set<string>
  readonly overwritten: Map<string, ItemId>
  over: boolean
}

/** What is compared: the files before and after all that one user message brought about. */
interface Comparison {
  readonly turn: TurnFiles
  /** Files that the steps changed, as far as they said: a comparison without them is not the last one. */
  readonly patched: Set<string>
  latest: ReadonlyArray<unknown>
}

/** The changed files of the newest turns. */
export interface OpencodeFiles {
  /** A user message that the turn answers. The first one begins it. */
  readonly begin: (turnId: TurnId, userId: string) => void
  /** The root of the project, below which comparisons name files. */
  readonly root: (path: string) => void
  readonly tool: (changes: ReadonlyArray<FileChange | Overwrite>, turnId: TurnId | undefined, itemId: ItemId) => void
  readonly patch: (userId: string | undefined, files: ReadonlyArray<string>) => void
  /** The comparison as the user message has it now. */
  readonly compared: (userId: string, diffs: ReadonlyArray<unknown>) => void
  /** The turn is about to end. `compared` says whether the comparison that is known was read after that. */
  readonly end: (turnId: TurnId, compared: boolean) => void
}

const decodeDiff = lenientDecoder(FileDiff)

/** Makes an empty store. `directory` stands for the project's root until that is known. */
export const makeOpencodeFiles = (directory: string, emit: (event: BackendEvent) => void): OpencodeFiles => {
  let root = directory
  const turns = new Map<TurnId, TurnFiles>()
  const comparisons = new Map<string, Comparison>()

  const absolute = (path: string): string => absolutePath(path, root)

  const tell = ({ told, turnId }: TurnFiles, change: FileChange, itemId?: ItemId) => {
    const path = absolute(change.path)
    told.add(path)
    emit({
      type: "file.changed",
      data: {
        ...withinBounds(change),
        path,
        ...(change.from === undefined ? {} : { from: absolute(change.from) }),
        turnId,
        ...(itemId === undefined ? {} : { itemId })
      }
    })
  }

  const tellComparison = ({ latest, patched, turn }: Comparison) => {
    const changes = latest.flatMap((each): ReadonlyArray<FileChange> => {
      const diff = decodeDiff(each)
      return diff === undefined ? [] : [changeIn(diff)]
    })
    const paths = new Set(changes.map(({ path }) => absolute(path)))
    for (const path of patched) if (!paths.has(path) && !turn.told.has(path)) return
    const untold = changes.filter(({ path }) => !turn.told.has(absolute(path)))
    for (const change of untold.slice(0, maxFiles)) tell(turn, change, turn.overwritten.get(absolute(change.path)))
    if (untold.length > maxFiles) {
      for (const { path } of untold.slice(maxFiles)) turn.told.add(absolute(path))
      const more = untold.slice(maxFiles).map(({ path }) => path)
      emit(note("info", `${more.length} more files changed in turn ${turn.turnId}`, more, "more_files") as BackendEvent)
    }
  }

  return {
    begin: (turnId, userId) => {
      let turn = turns.get(turnId)
      if (turn === undefined) {
        turn = { turnId, told: new Set(), overwritten: new Map(), over: false }
        turns.set(turnId, turn)
        if (turns.size > maxTurns) {
          const oldest = turns.keys().next().value!
          turns.delete(oldest)
          for (const [id, one] of comparisons) if (one.turn.turnId === oldest) comparisons.delete(id)
        }
      }
      comparisons.set(userId, { turn, patched: new Set(), latest: [] })
    },
    root: (path) => {
      if (isAbsolute(path) && path !== "/") root = path
    },
    tool: (changes, turnId, itemId) => {
      const turn = turnId === undefined ? undefined : turns.get(turnId)
      if (turn === undefined) return
      for (const change of changes) {
        if (!("overwritten" in change)) tell(turn, change, itemId)
        else turn.overwritten.set(absolute(change.overwritten), itemId)
      }
    },
    patch: (userId, files) => {
      const comparison = userId === undefined ? undefined : comparisons.get(userId)
      if (comparison === undefined || files.length > maxFiles) return
      for (const file of files) comparison.patched.add(absolute(file))
    },
    compared: (userId, diffs) => {
      const comparison = comparisons.get(userId)
      if (comparison === undefined) return
      comparison.latest = diffs
      if (comparison.turn.over) tellComparison(comparison)
    },
    end: (turnId, compared) => {
      const turn = turns.get(turnId)
      if (turn === undefined) return
      const own = [...comparisons.values()].filter((one) => one.turn === turn)
      for (const [path, itemId] of turn.overwritten) {
        if (!turn.told.has(path) && !own.some(({ patched }) => patched.has(path))) {
          tell(turn, { path, change: "modified" }, itemId)
        }
      }
      turn.over = true
      if (compared) own.forEach(tellComparison)
    }
  }
}

const changeIn = ({ additions, deletions, file, patch, status }: FileDiff): FileChange => ({
  path: file,
  change: changeOf(status),
  ...(patch === undefined ? {} : counted(patch)),
  ...(additions === undefined ? {} : { additions }),
  ...(deletions === undefined ? {} : { deletions })
})

const withinBounds = (change: FileChange): FileChange => {
  if (change.diff === undefined || change.diff.length <= maxDiff) return change
  const { diff: _diff, ...rest } = change
  return rest
}
