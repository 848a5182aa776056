/** The table, third part: how a sandbox is left, and ends. */
import type { Decision } from "./Decision.ts"
import { living, row } from "./Decision.ts"
import type { LifecycleStep } from "./LifecycleStep.ts"

const unwanted = "nobody wanted it any more"
const endedEarly = (reason: string): string => `it ended before its bridge came: ${reason}`
const early = "it was asked to, before it was open"

/** Nothing of the session is to stay. */
const removeSnapshots = (step: LifecycleStep): void => {
  const { state } = step
  for (const snapshotId of new Set([state.snapshotId, state.loggedSnapshotId, state.abandonedId])) {
    if (snapshotId !== null) step.act({ do: "removeSnapshot", snapshotId })
  }
  state.snapshotId = null
  state.loggedSnapshotId = null
  state.abandonedId = null
}

/** Leaves a sandbox that lingered. */
const leave = (step: LifecycleStep): void => {
  if (step.canStore) step.snapshot("leave")
  else step.discard("forget", unwanted)
}

const end = (step: LifecycleStep, reason: string): void => {
  step.tell("stopped", { reason })
  step.lose(`its sandbox has ended: ${reason}`, true)
  step.state.exited = true
  step.state.connected = false
  step.state.inner = null
}

const gone = (step: LifecycleStep, failure: string | undefined): void => {
  const { state } = step
  switch (state.after) {
    case "close":
      return step.closed(failure)
    case "respawn":
      // One that could not be destroyed is given up: its token is not good any more, and the sweep finds it.
      step.tellGone(failure === undefined ? "stopped" : "failed", failure ?? state.reason)
      return step.want(state.snapshotId === null && state.abandonedId !== null ? "anew" : "want", state.reason)
    default:
      if (failure === undefined) return step.forget()
      step.giveUp(failure, true)
  }
}

/** The rows. */
export const endingDecisions: ReadonlyArray<Decision> = [
  row({
    on: "released",
    at: ["idle", "looking", "pending", "warming", "connecting", ...living, "snapshotting", "lingering", "destroying"],
    when: "this runtime leaves it running",
    holds: (_, { detached }) => detached,
    does: "Forgets everything, and touches nothing.",
    moves: ["forget"],
    decide: (step) => step.forget()
  }),
  row({
    on: "released",
    at: ["looking", "pending", "warming", "connecting", ...living, "snapshotting", "destroying"],
    when: "another generation has taken its place, or it was told its end",
    holds: ({ state }, { generation }) => state.generation !== generation,
    does: "Nothing.",
    moves: [],
    decide: () => {}
  }),
  row({
    on: "released",
    at: ["pending"],
    does: "Forgets it: there is none.",
    moves: ["forget"],
    decide: (step) => step.forget()
  }),
  row({
    on: "released",
    at: ["looking"],
    when: "the log does not know its name",
    holds: ({ state }) => state.sandboxId === null,
    does: "Forgets it; the sweep looks after what the provider may have.",
    moves: ["forget"],
    decide: (step) => step.forget()
  }),
  row({
    on: "released",
    at: ["warming"],
    does: "Destroys whatever comes of the spawn.",
    moves: ["discard"],
    decide: (step) => {
      step.leaveGeneration()
      step.discard("forget", unwanted)
    }
  }),
  row({
    on: "released",
    at: ["looking", "connecting", ...living],
    does: "Ends what runs in it, and keeps it for the next generation.",
    moves: ["release"],
    decide: (step) => {
      step.leaveGeneration()
      step.linger()
    }
  }),
  row({
    on: "released",
    at: ["snapshotting"],
    does: "Ends what runs in it; goes on with the snapshot, then leaves.",
    moves: [],
    decide: (step) => {
      step.leaveGeneration()
      step.endInner()
      step.state.purpose = "leave"
    }
  }),
  row({
    on: "released",
    at: ["destroying"],
    does: "Makes no other.",
    moves: [],
    decide: (step) => step.leaveGeneration()
  }),
  row({
    on: "suspend",
    at: ["looking"],
    when: "the log does not know its name",
    holds: ({ state }) => state.sandboxId === null,
    does: "Suspends the generation; the sweep looks after what the provider may have.",
    moves: ["forget"],
    decide: (step) => {
      step.suspend(early)
      step.forget()
    }
  }),
  row({
    on: "suspend",
    at: ["pending"],
    does: "Suspends the generation: there is no sandbox.",
    moves: ["forget"],
    decide: (step) => {
      step.suspend(early)
      step.forget()
    }
  }),
  row({
    on: "suspend",
    at: ["warming"],
    does: "Suspends the generation, and destroys whatever comes of the spawn.",
    moves: ["discard"],
    decide: (step) => {
      step.suspend(early)
      step.discard("forget", unwanted)
    }
  }),
  row({
    on: "suspend",
    at: ["looking", "connecting", "syncing", "stale"],
    does: "Suspends the generation before it is open, and keeps the sandbox for the next.",
    moves: ["release"],
    decide: (step) => {
      step.suspend(early)
      step.linger()
    }
  }),
  row({
    on: "suspend",
    at: ["lingering"],
    does: "Leaves it at once.",
    moves: ["snapshot", "discard"],
    decide: leave
  }),
  row({
    on: "suspend",
    at: ["destroying"],
    when: "a generation waits for another sandbox",
    holds: ({ state }) => state.after === "respawn",
    does: "Suspends the generation, and makes no other.",
    moves: [],
    decide: (step) => step.suspend(early)
  }),
  row({
    on: "linger",
    at: ["lingering"],
    does: "Stores what is new in it, destroys it and forgets it.",
    moves: ["snapshot", "discard"],
    decide: leave
  }),

  row({
    on: "close",
    at: ["idle", "pending"],
    does: "There is no sandbox: removes the snapshots, and says so.",
    moves: ["forget"],
    decide: (step) => {
      removeSnapshots(step)
      step.closed()
    }
  }),
  row({
    on: "close",
    at: ["destroying"],
    does: "Removes the snapshots, and says so once it is destroyed.",
    moves: [],
    decide: (step) => {
      removeSnapshots(step)
      step.state.after = "close"
    }
  }),
  row({
    on: "close",
    at: ["looking", "warming", "connecting", ...living, "snapshotting", "lingering"],
    does: "Destroys it and removes the snapshots.",
    moves: ["discard"],
    decide: (step) => {
      removeSnapshots(step)
      step.discard("close", "the session is over")
    }
  }),
  row({
    on: "banned",
    at: ["looking", "warming", "connecting", ...living, "snapshotting", "lingering"],
    does: "Fails the session for good, with the reason, and destroys it.",
    moves: ["discard"],
    decide: (step, { reason }) => {
      step.tell("failed", { reason })
      step.lose(reason, false)
      step.discard("forget", reason)
    }
  }),
  row({
    on: "exited",
    at: ["connecting"],
    when: "it was to be reattached",
    holds: ({ state }, { sandboxId }) => state.reattach && state.sandboxId === sandboxId,
    does: "Loses the generation; the next one goes on with its file system.",
    moves: ["release"],
    decide: (step, { reason }) => {
      end(step, reason)
      step.linger()
    }
  }),
  row({
    on: "exited",
    at: ["connecting"],
    when: "it is this one, and the last try of the snapshot",
    holds: (step, { sandboxId }) => step.state.sandboxId === sandboxId && step.isLastRestore,
    does: "Gives the snapshot up, says so, destroys what is left of the sandbox and makes one anew.",
    moves: ["discard"],
    decide: (step, { reason }) => {
      const why = endedEarly(reason)
      step.abandon(why)
      step.discard("respawn", why)
    }
  }),
  row({
    on: "exited",
    at: ["connecting"],
    when: "it is this one",
    holds: ({ state }, { sandboxId }) => state.sandboxId === sandboxId,
    does: "Stores what is new in it, destroys what is left of it and makes another, while tries are left.",
    moves: ["snapshot", "discard"],
    decide: (step, { reason }) => {
      step.state.exited = true
      step.restoreFailed()
      step.replace(endedEarly(reason))
    }
  }),
  row({
    on: "exited",
    at: living,
    when: "it is this one",
    holds: ({ state }, { sandboxId }) => state.sandboxId === sandboxId,
    does: "Loses the generation; the next one goes on with its file system.",
    moves: ["release"],
    decide: (step, { reason }) => {
      end(step, reason)
      step.linger()
    }
  }),
  row({
    on: "exited",
    at: ["snapshotting"],
    when: "it is this one, and a generation is open in it",
    holds: ({ state }, { sandboxId }) => state.sandboxId === sandboxId && state.isOpen,
    does: "Loses the generation; goes on with the snapshot, then leaves.",
    moves: [],
    decide: (step, { reason }) => {
      end(step, reason)
      step.state.purpose = "leave"
    }
  }),
  row({
    on: "exited",
    at: ["snapshotting", "lingering"],
    when: "it is this one",
    holds: ({ state }, { sandboxId }) => state.sandboxId === sandboxId,
    does: "The next generation goes on with its file system.",
    moves: [],
    decide: ({ state }) => {
      state.exited = true
      state.connected = false
      state.inner = null
    }
  }),

  row({
    on: "destroyed",
    at: ["destroying"],
    when: "it is this one",
    holds: ({ state }, { sandboxId }) => state.sandboxId === sandboxId,
    does: "Forgets it; or makes another for the generation that waits; or says that the session is closed.",
    moves: ["want", "anew", "spawn", "giveUp", "forget"],
    decide: (step) => gone(step, undefined)
  }),
  row({
    on: "destroyFailed",
    at: ["destroying"],
    when: "it is this one",
    holds: ({ state }, { sandboxId }) => state.sandboxId === sandboxId,
    does: "Gives it up, with the reason: its token is not good any more, and the sweep for orphans takes over. Then the same.",
    moves: ["want", "anew", "spawn", "giveUp", "forget"],
    decide: (step, { reason }) => gone(step, `the sandbox could not be destroyed: ${reason}`)
  }),
  row({
    on: "destroy",
    at: ["destroying"],
    does: "The same: the provider does not answer.",
    moves: ["want", "anew", "spawn", "giveUp", "forget"],
    decide: (step) => gone(step, "the sandbox could not be destroyed: the provider did not answer in time")
  })
]
