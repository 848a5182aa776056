/** Ends everything that a process started: first by asking, then by force, and never anybody else. */
import { setTimeout as delay } from "node:timers/promises"
import { type ProcessIdentity, ProcessesRemain } from "./ProcessIdentity.ts"
import { signalProcess } from "./ProcessSignal.ts"
import { isAlive, makeMemberSearch, type ProcessTarget } from "./ProcessTree.ts"

/** How to end a tree. */
export interface TerminateOptions {
  /** Milliseconds to leave by itself after being asked. 0 forces at once. Default 2,000. */
  readonly graceMs?: number
  /** What asks first. After half of the grace SIGTERM asks what is left. Default SIGHUP: the terminal is gone. */
  readonly signal?: NodeJS.Signals
  /** Milliseconds that force may take before {@link ProcessesRemain}. Default 5,000: only sleep inside the kernel takes long. */
  readonly forceMs?: number
  /** Stops waiting and signalling, with the signal's reason as the failure. */
  readonly abort?: AbortSignal
}

/** What ending a tree did. */
export interface Terminated {
  /** Every process that was found. All of them have ended. */
  readonly processes: ReadonlyArray<ProcessIdentity>
  /** Those of them that force was used on. */
  readonly forced: ReadonlyArray<ProcessIdentity>
}

/**
 * Looks for new members between two rounds of stopping. A tree that forks faster than it is found is stopped from its top
 * down and thins out in two or three; 20 is far past that, and the deadline ends it in any case.
 */
const maxStopRounds = 20

/** Waits between two looks, in milliseconds: most processes go within one or two after a signal. */
const shortestWait = 2
const longestWait = 50

const sendAll = async (identities: ReadonlyArray<ProcessIdentity>, signal: NodeJS.Signals) => {
  const refused: Array<ProcessIdentity> = []
  for (const identity of identities) if ((await signalProcess(identity, signal)) === "refused") refused.push(identity)
  return refused
}

/** Waits until all have ended or the time is over; gives those that still run. */
const awaitEnd = async (
  identities: ReadonlyArray<ProcessIdentity>,
  until: number,
  abort: AbortSignal | undefined
): Promise<ReadonlyArray<ProcessIdentity>> => {
  let wait = shortestWait
  for (;;) {
    const alive: Array<ProcessIdentity> = []
    for (const identity of identities) if (await isAlive(identity)) alive.push(identity)
    const left = until - performance.now()
    if (alive.length === 0 || left <= 0) return alive
    await delay(Math.min(wait, left), undefined, abort === undefined ? {} : { signal: abort })
    wait = Math.min(wait * 2, longestWait)
  }
}

/**
 * Ends the tree: asks, waits for the grace, then stops and kills what is left, again until nothing is found. Stopping first
 * keeps a forking tree from escaping. Resolves when all have ended (a zombie has), rejects with {@link ProcessesRemain}
 * where some could not be ended, at the latest after `graceMs + forceMs`.
 */
export const terminateTree = async (target: ProcessTarget, options: TerminateOptions = {}): Promise<Terminated> => {
  const { graceMs = 2_000, signal = "SIGHUP", forceMs = 5_000, abort } = options
  const search = await makeMemberSearch(target)
  const found = new Map<string, ProcessIdentity>()
  const forced = new Map<string, ProcessIdentity>()

  const look = async () => {
    const members = await search()
    abort?.throwIfAborted()
    for (const member of members) found.set(keyOf(member), member)
    return members
  }

  /** Asks all, those too that turn up while waiting; gives those that are left at `until`. */
  const ask = async (signal: NodeJS.Signals, until: number) => {
    const asked = new Set<string>()
    let members = await look()
    while (members.length > 0) {
      const fresh = members.filter((member) => !asked.has(keyOf(member)))
      for (const member of fresh) asked.add(keyOf(member))
      await sendAll(fresh, signal)
      // A stopped process cannot follow a signal before it goes on.
      await sendAll(fresh, "SIGCONT")
      await awaitEnd(members, until, abort)
      members = await look()
      if (performance.now() >= until) break
    }
    return members
  }

  let members = graceMs > 0 ? await ask(signal, performance.now() + graceMs / 2) : await look()
  if (members.length > 0 && graceMs > 0) members = await ask("SIGTERM", performance.now() + graceMs / 2)

  const until = performance.now() + forceMs
  while (members.length > 0) {
    const stopped = new Set<string>()
    for (let round = 0; round < maxStopRounds; round++) {
      const fresh = members.filter((member) => !stopped.has(keyOf(member)))
      if (fresh.length === 0) break
      for (const member of fresh) stopped.add(keyOf(member))
      await sendAll(fresh, "SIGSTOP")
      members = await look()
    }
    for (const member of members) forced.set(keyOf(member), member)
    const refused = await sendAll(members, "SIGKILL")
    if (members.length > 0 && refused.length === members.length) throw remain(members, "they belong to another user")
    const alive = await awaitEnd(
      members.filter((member) => !refused.includes(member)),
      until,
      abort
    )
    members = await look()
    if (performance.now() >= until && members.length > 0) {
      throw remain(members, alive.length > 0 ? "they do not even end by force" : "they start faster than they end")
    }
  }
  return { processes: [...found.values()], forced: [...forced.values()] }
}

const keyOf = ({ pid, startTime }: ProcessIdentity) => `${pid} ${startTime}`

const remain = (members: ReadonlyArray<ProcessIdentity>, reason: string) =>
  new ProcessesRemain({ pids: members.map((member) => member.pid), reason })
