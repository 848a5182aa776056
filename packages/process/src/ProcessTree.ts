/** Which processes belong together: who a process is, whether it lives, and everything that came from it. */
import type { ProcessIdentity } from "./ProcessIdentity.ts"
import { processMarkerName } from "./ProcessMarker.ts"
import { type ProcessEntry, type ProcessTable, processTable } from "./ProcessTable.ts"

/** What to look for: a process with all that came from it, a marker's bearers with all that came from them, or both. */
export interface ProcessTarget {
  readonly root?: ProcessIdentity | undefined
  /** A value of {@link processMarkerName}. It also finds what was re-parented. */
  readonly marker?: string | undefined
  /**
   * Further variables, each as `NAME=value`, whose bearers belong to it as well: what marks something larger than a session,
   * whose processes carry a marker of their own.
   */
  readonly variables?: ReadonlyArray<string> | undefined
}

/** The identity of a process that runs now, or of a zombie; undefined where there is none. */
export const identify = async (pid: number): Promise<ProcessIdentity | undefined> => {
  // The entry is read before anything is waited for: a caller that just spawned the process races with its end.
  const [entry, host] = await Promise.all([processTable.read(pid), processTable.host()])
  return entry === undefined ? undefined : { pid, startTime: entry.startTime, host }
}

/**
 * Whether exactly this process still runs. A zombie does not, nor does one that merely reuses the pid; of another machine,
 * boot or pid namespace nothing can be running here.
 */
export const isAlive = async (identity: ProcessIdentity): Promise<boolean> => {
  const [entry, host] = await Promise.all([processTable.read(identity.pid), processTable.host()])
  return entry !== undefined && !entry.ended && entry.startTime === identity.startTime && host === identity.host
}

/** What {@link membersOf} starts from. */
export interface Seeds {
  readonly root: ProcessIdentity | undefined
  readonly marked: ReadonlySet<number>
  /** Start times, by pid, of members that were found before: they stay members when their parents die. */
  readonly known: ReadonlyMap<number, string>
  /** Never a member: the process that asks. */
  readonly self: number
}

/** The running members of a tree, parents before their children. */
export const membersOf = (
  table: ReadonlyMap<number, ProcessEntry>,
  { root, marked, known, self }: Seeds
): ReadonlyArray<ProcessEntry> => {
  const children = new Map<number, Array<ProcessEntry>>()
  const members = new Set<ProcessEntry>()
  const rootEntry = root === undefined ? undefined : table.get(root.pid)
  const isRootThere = rootEntry !== undefined && rootEntry.startTime === root?.startTime
  if (isRootThere) members.add(rootEntry)
  for (const entry of table.values()) {
    const siblings = children.get(entry.parent)
    if (siblings === undefined) children.set(entry.parent, [entry])
    else siblings.push(entry)
    // While the leader has its pid, its session's number can be nobody else's. Once it is gone the number may be reused.
    const isInSession = isRootThere && entry.session === root?.pid
    if (isInSession || marked.has(entry.pid) || known.get(entry.pid) === entry.startTime) members.add(entry)
  }
  // A set hands out what is added while it is walked.
  for (const member of members) {
    if (member.pid === self || member.pid <= 1) members.delete(member)
    else for (const child of children.get(member.pid) ?? []) members.add(child)
  }
  // Numbers tell nothing of who came first: they begin anew once the last one was given.
  const ordered = new Set<ProcessEntry>()
  const isMember = (entry: ProcessEntry | undefined) => entry !== undefined && members.has(entry)
  for (const member of members) if (!isMember(table.get(member.parent))) ordered.add(member)
  for (const member of ordered)
    for (const child of children.get(member.pid) ?? []) if (isMember(child)) ordered.add(child)
  // A table shows no one moment: with a number that was given again there may be a ring in it.
  for (const member of members) ordered.add(member)
  return [...ordered].filter((entry) => !entry.ended)
}

/**
 * Looks at the table before nothing found means that nothing is there. Two do unless processes came and went during the
 * first; that it is so ten times in a row takes a tree whose every process lives for less than a look, some milliseconds.
 */
const maxLooks = 10

/**
 * Looks for a target's members again and again; what was found once is known from then on, by its start time too, and what
 * turned out to carry no marker is not read again.
 *
 * A table shows no one moment: a member that ended before it could be read may have started another one behind the reader's
 * back. Where nothing was found and something ended unread, it is looked at again.
 */
export const makeMemberSearch = async (target: ProcessTarget, table: ProcessTable = processTable) => {
  const host = await table.host()
  const root = target.root?.host === host ? target.root : undefined
  const known = new Map<number, string>()
  const unmarked = new Map<number, string>()
  /** Processes that did not say whether they are marked; one that does not say it twice has nothing to say. */
  const unclear = new Map<number, string>()

  const variables = [
    ...(target.marker === undefined ? [] : [`${processMarkerName}=${target.marker}`]),
    ...(target.variables ?? [])
  ]

  /** Whether this is the first time that the process is unclear. */
  const isNews = ({ pid, startTime }: ProcessEntry): boolean => {
    if (unclear.get(pid) === startTime) return false
    unclear.set(pid, startTime)
    return true
  }

  const findMarked = async (entries: ReadonlyMap<number, ProcessEntry>) => {
    const marked = new Set<number>()
    let isUnsure = false
    if (variables.length === 0) return { marked, isUnsure }
    const candidates = [...entries.values()].filter(
      (entry) => !entry.ended && known.get(entry.pid) !== entry.startTime && unmarked.get(entry.pid) !== entry.startTime
    )
    const unread = new Set<number>()
    for (const variable of variables) {
      // Nothing that belongs to the root is older than it. It saves reading most environments of a machine.
      const answer = await table.marked(candidates, variable, root?.startTime)
      for (const pid of answer.marked) marked.add(pid)
      for (const pid of answer.unread) unread.add(pid)
    }
    for (const entry of candidates) {
      if (marked.has(entry.pid)) continue
      if (unread.has(entry.pid) && isNews(entry)) isUnsure = true
      else unmarked.set(entry.pid, entry.startTime)
    }
    return { marked, isUnsure }
  }

  const look = async () => {
    const { entries, isTorn } = await table.readAll()
    const { isUnsure, marked } = await findMarked(entries)
    const members = membersOf(entries, { root, known, marked, self: process.pid })
    const ended = [...entries.values()].filter((entry) => entry.ended && isNews(entry))
    return { members, isUnsure: isUnsure || isTorn || ended.length > 0 }
  }

  return async (): Promise<ReadonlyArray<ProcessIdentity>> => {
    if (root === undefined && variables.length === 0) return []
    let { isUnsure, members } = await look()
    for (let looks = 1; members.length === 0 && isUnsure && looks < maxLooks; looks++) {
      ;({ isUnsure, members } = await look())
    }
    for (const { pid, startTime } of members) known.set(pid, startTime)
    return members.map(({ pid, startTime }) => ({ pid, startTime, host }))
  }
}

/**
 * The running processes of a target, parents before children: the root, its descendants, those in its terminal session as
 * long as the root is there, the marker's bearers and their descendants.
 */
export const tree = async (target: ProcessTarget): Promise<ReadonlyArray<ProcessIdentity>> => {
  const search = await makeMemberSearch(target)
  return search()
}
