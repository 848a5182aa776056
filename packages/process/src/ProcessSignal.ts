/** Signals for one process and nobody else. */
import type { ProcessIdentity } from "./ProcessIdentity.ts"
import { isAlive } from "./ProcessTree.ts"

/** What became of a signal: its process had ended before, or it belongs to another user. */
export type SignalResult = "delivered" | "gone" | "refused"

/**
 * Delivers a signal if the process is still the one that is meant. Between the check of its identity and the signal some
 * microseconds pass in which its pid could in theory be freed and given away; Node offers no handle on a process (pidfd)
 * that would close that gap.
 */
export const signalProcess = async (identity: ProcessIdentity, signal: NodeJS.Signals): Promise<SignalResult> => {
  if (!(await isAlive(identity))) return "gone"
  try {
    process.kill(identity.pid, signal)
    return "delivered"
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === "ESRCH") return "gone"
    if (code === "EPERM") return "refused"
    throw error
  }
}
