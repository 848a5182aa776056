/** The table, second part: what happens to a sandbox while a generation is open in it, and how it is put to rest. */
import type { Decision } from "./Decision.ts"
import { living, row } from "./Decision.ts"
import type { LifecycleStep } from "./LifecycleStep.ts"

/** Takes a stale sandbox back. */
const takeBack = (step: LifecycleStep): void => {
  const { state } = step
  if (!state.isOpen) {
    step.move("takeBack")
    return
  }
  step.move("pause")
  step.goOn()
}

/** A snapshot of a running session is over: it goes on. */
const resume = (step: LifecycleStep): void => {
  const { now, state } = step
  state.purpose = null
  state.heardAt = now
  state.snapshotAt = now
  state.idleSince = now
  step.act({ do: "thaw" })
  step.move("pause")
  step.goOn()
}

/** The bridge says that what was open is not: it was started again. */
const restarted = ({ state }: LifecycleStep, open: number | null): boolean => state.isOpen && open !== state.generation

const loseRestarted = (step: LifecycleStep, open: number | null): void => {
  step.state.inner = open
  step.lose("the bridge in its sandbox was started again", true)
}

/** What a snapshot was taken for can go on now, with the sandbox as it is. */
const afterLeaving = (step: LifecycleStep): void => {
  const { state } = step
  if (state.generation === null) return step.discard("forget", "nobody wanted it any more")
  if (state.exited) return step.discard("respawn", "the sandbox had ended")
  if (state.connected) return step.openInner("renew")
  step.move("look")
  step.act({ do: "look", sandboxId: state.sandboxId })
}

const idled = "nothing happened in it for a while"
const asked = "it was asked to"

/** Puts to rest, with a snapshot where something is new. */
const toRest = (step: LifecycleStep, purpose: "rest" | "suspend"): void => {
  const { policy, state } = step
  const reason = purpose === "rest" ? idled : asked
  if (step.canStore) return step.snapshot(purpose)
  if (!state.dirty && state.snapshotId !== null) return step.rest(reason)
  step.rest(reason, policy.snapshots ? "none could be taken" : "this provider takes none")
}

const snapshotFailed = (step: LifecycleStep, reason: string, retryable: boolean, unsupported: boolean): void => {
  const { state } = step
  if (unsupported) state.noSnapshots = true
  const again = !unsupported && !(state.exited && state.purpose === "leave") && state.purpose !== "schedule"
  if (again && step.retrySnapshot(retryable)) return
  switch (state.purpose) {
    case "schedule":
      step.note(`no snapshot could be taken: ${reason}`)
      return resume(step)
    case "rest":
    case "suspend":
      if (unsupported) return step.rest(state.purpose === "rest" ? idled : asked, reason)
      step.note(`it is not put to rest, because no snapshot could be taken: ${reason}`)
      return resume(step)
    case "replace":
      step.note(`what was new in the sandbox is gone with it: ${reason}`)
      return step.discard("respawn", state.reason)
    default:
      if (state.generation !== null) return afterLeaving(step)
      if (unsupported || state.exited) return step.discard("forget", "nobody wanted it any more")
      step.act({ do: "thaw" })
      step.keep()
      // It may be gone altogether.
      return step.act({ do: "look", sandboxId: state.sandboxId })
  }
}

/** The rows. */
export const livingDecisions: ReadonlyArray<Decision> = [
  row({
    on: "connected",
    at: ["syncing"],
    does: "The link is back.",
    moves: [],
    decide: (step) => step.link(true, "the bridge is back")
  }),
  row({
    on: "connected",
    at: ["ready", "running", "stale"],
    when: "the generation is not open in it any more",
    holds: (step, { open }) => restarted(step, open),
    does: "Loses the generation; the sandbox waits for the next.",
    moves: ["release"],
    decide: (step, { open }) => {
      loseRestarted(step, open)
      step.linger()
    }
  }),
  row({
    on: "connected",
    at: ["ready", "running"],
    does: "The link is back.",
    moves: [],
    decide: (step) => step.link(true, "the bridge is back")
  }),
  row({
    on: "connected",
    at: ["stale"],
    does: "Takes it back: its generation has not been ended.",
    moves: ["pause", "work", "takeBack"],
    decide: (step) => {
      step.link(true, "the bridge is back")
      takeBack(step)
    }
  }),
  row({
    on: "connected",
    at: ["snapshotting"],
    when: "the generation is not open in it any more",
    holds: (step, { open }) => restarted(step, open),
    does: "Loses the generation; goes on with the snapshot, then leaves.",
    moves: [],
    decide: (step, { open }) => {
      loseRestarted(step, open)
      step.state.purpose = "leave"
    }
  }),
  row({
    on: "connected",
    at: ["snapshotting"],
    does: "The link is back.",
    moves: [],
    decide: (step) => step.link(true, "the bridge is back")
  }),
  row({
    on: "connected",
    at: ["lingering"],
    does: "Ends what still runs of a generation that is over.",
    moves: [],
    decide: (step, { open }) => {
      step.state.inner = open
      step.endInner()
    }
  }),
  row({
    on: "disconnected",
    at: [...living, "snapshotting"],
    does: "Tells that the link is down, and nothing else: a closed connection is not a dead session.",
    moves: [],
    decide: (step) => step.link(false, "the bridge's connection was closed")
  }),
  row({
    on: "heard",
    at: ["stale"],
    does: "Takes it back: its generation has not been ended.",
    moves: ["pause", "work", "takeBack"],
    decide: takeBack
  }),
  row({
    on: "silence",
    at: ["syncing", "ready", "running"],
    does: "Tells that it is stale, and asks the provider.",
    moves: ["fallSilent"],
    decide: (step) => {
      step.move("fallSilent")
      step.tell("stale", { reason: "its bridge is silent" })
      step.act({ do: "look", sandboxId: step.state.sandboxId })
    }
  }),
  row({
    on: "still silent",
    at: ["stale"],
    does: "Loses the generation; the sandbox waits for the next.",
    moves: ["release"],
    decide: (step) => {
      step.lose("its sandbox was not heard of for too long", true)
      step.linger()
    }
  }),
  row({
    on: "innerLost",
    at: living,
    does: "Loses the generation; the sandbox waits for the next.",
    moves: ["release"],
    decide: (step, { reason, retryable }) => {
      step.state.inner = null
      step.lose(reason, retryable)
      step.linger()
    }
  }),
  row({
    on: "innerLost",
    at: ["snapshotting"],
    when: "a generation is open in it",
    holds: ({ state }) => state.isOpen,
    does: "Loses the generation; goes on with the snapshot, then leaves.",
    moves: [],
    decide: (step, { reason, retryable }) => {
      step.state.inner = null
      step.lose(reason, retryable)
      step.state.purpose = "leave"
    }
  }),
  row({
    on: "active",
    at: ["ready"],
    when: "a turn runs",
    holds: (_, { busy }) => busy,
    does: "Tells that it runs.",
    moves: ["work"],
    decide: (step) => {
      step.move("work")
      step.tell("running")
    }
  }),
  row({
    on: "active",
    at: ["running"],
    when: "no turn runs",
    holds: (_, { busy }) => !busy,
    does: "Tells that it is ready.",
    moves: ["pause"],
    decide: (step) => {
      step.move("pause")
      step.tell("ready")
    }
  }),
  row({
    on: "active",
    at: ["snapshotting"],
    when: "it was to be put to rest because it was idle",
    holds: ({ state }) => state.purpose === "rest",
    does: "It is not idle: it goes on after the snapshot.",
    moves: [],
    decide: ({ state }) => {
      state.purpose = "schedule"
    }
  }),
  row({
    on: "idle",
    at: ["ready"],
    does: "Takes a snapshot and puts it to rest; without one only where the provider takes none.",
    moves: ["snapshot", "discard"],
    decide: (step) => toRest(step, "rest")
  }),
  row({
    on: "suspend",
    at: ["ready", "running"],
    does: "Takes a snapshot and puts it to rest.",
    moves: ["snapshot", "discard"],
    decide: (step) => toRest(step, "suspend")
  }),
  row({
    on: "suspend",
    at: ["stale"],
    when: "the generation is open",
    holds: ({ state }) => state.isOpen,
    does: "Takes a snapshot and puts it to rest.",
    moves: ["snapshot", "discard"],
    decide: (step) => toRest(step, "suspend")
  }),
  row({
    on: "suspend",
    at: ["snapshotting"],
    when: "a generation is open in it",
    holds: ({ state }) => state.isOpen,
    does: "Puts it to rest with this snapshot.",
    moves: [],
    decide: ({ state }) => {
      state.purpose = "suspend"
    }
  }),
  row({
    on: "schedule",
    at: ["ready", "running"],
    does: "Takes a snapshot, because something is new since the last.",
    moves: ["snapshot"],
    decide: (step) => step.snapshot("schedule")
  }),

  row({
    on: "snapshotTaken",
    at: ["snapshotting"],
    when: "on schedule",
    holds: ({ state }) => state.purpose === "schedule",
    does: "Tells of it, removes the one before, goes on.",
    moves: ["pause", "work"],
    decide: (step, { snapshotId }) => {
      step.stored(snapshotId)
      step.tellSnapshot("snapshotted", snapshotId)
      const { idleSince } = step.state
      resume(step)
      step.state.idleSince = idleSince
    }
  }),
  row({
    on: "snapshotTaken",
    at: ["snapshotting"],
    when: "to be put to rest",
    holds: ({ state }) => state.purpose === "rest" || state.purpose === "suspend",
    does: "Tells of it, suspends the generation, destroys the sandbox.",
    moves: ["discard"],
    decide: (step, { snapshotId }) => {
      const reason = step.state.purpose === "rest" ? idled : asked
      step.stored(snapshotId)
      step.rest(reason)
    }
  }),
  row({
    on: "snapshotTaken",
    at: ["snapshotting"],
    when: "to be replaced",
    holds: ({ state }) => state.purpose === "replace",
    does: "Destroys the sandbox, and makes another from the snapshot.",
    moves: ["discard"],
    decide: (step, { snapshotId }) => {
      step.stored(snapshotId)
      step.tellSnapshot("snapshotted", snapshotId)
      step.discard("respawn", step.state.reason)
    }
  }),
  row({
    on: "snapshotTaken",
    at: ["snapshotting"],
    does: "Destroys the sandbox and forgets it; or opens the generation that came meanwhile, in it or from the snapshot.",
    moves: ["discard", "renew", "look"],
    decide: (step, { snapshotId }) => {
      step.stored(snapshotId)
      step.tellSnapshot("snapshotted", snapshotId)
      const { state } = step
      if (state.generation !== null && !state.exited) state.dirty = true
      afterLeaving(step)
    }
  }),
  row({
    on: "snapshotTaken",
    at: ["idle", "looking", "pending", "warming", "connecting", ...living, "lingering", "destroying"],
    when: "it is another one than is known",
    holds: ({ state }, { snapshotId }) => state.snapshotId !== snapshotId && state.loggedSnapshotId !== snapshotId,
    does: "Removes it: it came too late.",
    moves: [],
    decide: (step, { snapshotId }) => step.act({ do: "removeSnapshot", snapshotId })
  }),
  row({
    on: "snapshotFailed",
    at: ["snapshotting"],
    does: "Tries again after a cooldown, while tries are left and something waits for it. Then: a scheduled one is left out; what was to rest or to leave is kept, unless the provider takes none at all or it has ended; what was to be replaced is.",
    moves: ["pause", "work", "discard", "renew", "look", "release"],
    decide: (step, { reason, retryable, unsupported }) => snapshotFailed(step, reason, retryable, unsupported === true)
  }),
  row({
    on: "snapshot",
    at: ["snapshotting"],
    does: "The same: the provider does not answer.",
    moves: ["pause", "work", "discard", "renew", "look", "release"],
    decide: (step) => snapshotFailed(step, "the provider did not answer in time", true, false)
  }),
  row({
    on: "snapshot again",
    at: ["snapshotting"],
    does: "Tries again.",
    moves: [],
    decide: ({ actions, now, state }) => {
      state.notBefore = 0
      state.since = now
      actions.push({ do: "snapshot", sandboxId: state.sandboxId! })
    }
  })
]
