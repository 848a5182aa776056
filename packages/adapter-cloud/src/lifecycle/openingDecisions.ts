/** The table, first part: how a generation comes by a sandbox. */
import type { Decision } from "./Decision.ts"
import { row } from "./Decision.ts"
import type { LifecycleStep } from "./LifecycleStep.ts"
import type { LifecycleInput } from "./LifecycleTypes.ts"

type Opened = Extract<LifecycleInput, { readonly type: "opened" }>
type Connected = Extract<LifecycleInput, { readonly type: "connected" }>

/** A new opening begins to count from nothing. */
const wants = ({ state }: LifecycleStep, { generation, reattach, region }: Opened): void => {
  state.generation = generation
  state.reattach = reattach === true
  state.region = region ?? state.region
  state.spawns = 0
  state.restores = 0
  state.busy = false
  // An opening of the backend is told as the link being back.
  state.linkDown = false
}

const isKnown = ({ known }: Opened): boolean =>
  known !== null && (known.sandboxId !== null || known.snapshotId !== null || known.tokenHash !== null)

const regionOf = ({ known, region }: Opened): NonNullable<Opened["region"]> =>
  region ?? (known === null ? "none" : known.tokenHash === null ? "stopped" : "running")

const tooSlow = "the provider did not make it in time"
const noBridge = "its bridge did not come in time"
const noReattach = "the sandbox that it ran in is gone"

/** The log gave the sandbox up, or never had its token: its bridge is not let in. */
const disowned = ({ state }: LifecycleStep): boolean =>
  state.region === "none" || state.region === "pending" || state.region === "stopped" || state.region === "failed"

const spawnBroke = (step: LifecycleStep, reason: string): void => {
  step.spawnEnded("broke")
  step.tell("failed", { reason })
}

/** The bridge of a sandbox that was waited for. */
const greet = (step: LifecycleStep, { open }: Connected): void => {
  const { state } = step
  state.inner = open
  if (!state.reattach) return step.openInner("greet")
  if (open === state.generation) {
    // Whoever was there before may have been ended in the middle of a snapshot.
    step.act({ do: "thaw" })
    return step.open("reattach")
  }
  step.lose("what it ran is not open any more in its sandbox", true)
  step.linger()
}

/** The rows. */
export const openingDecisions: ReadonlyArray<Decision> = [
  row({
    on: "opened",
    at: ["idle"],
    when: "the log knows a sandbox or a snapshot",
    holds: (_, input) => isKnown(input),
    does: "Asks the provider what became of it.",
    moves: ["look"],
    decide: (step, input) => {
      const { state } = step
      wants(step, input)
      const known = input.known!
      state.sandboxId = known.sandboxId
      state.snapshotId = known.snapshotId
      state.loggedSnapshotId = known.snapshotId
      state.region = regionOf(input)
      state.dirty = true
      step.move("look")
      step.act({ do: "look", sandboxId: known.sandboxId })
    }
  }),
  row({
    on: "opened",
    at: ["idle"],
    when: "it is to be reattached, and nothing is known",
    holds: (_, { reattach }) => reattach === true,
    does: "Loses the generation: there is nothing to go on with.",
    moves: ["giveUp"],
    decide: (step, input) => {
      wants(step, input)
      step.state.region = regionOf(input)
      step.giveUp(noReattach, true)
    }
  }),
  row({
    on: "opened",
    at: ["idle"],
    does: "Makes one.",
    moves: ["want", "spawn"],
    decide: (step, input) => {
      wants(step, input)
      step.state.region = regionOf(input)
      step.want("want", "")
    }
  }),
  row({
    on: "opened",
    at: ["looking", "pending", "warming", "connecting"],
    does: "Serves the newer generation with the sandbox that is on its way: one spawn however many ask.",
    moves: [],
    decide: (step, { generation }) => {
      step.state.generation = generation
      step.state.reattach = false
    }
  }),
  row({
    on: "opened",
    at: ["syncing", "ready", "running", "stale"],
    does: "Ends the generation before and opens the newer one in the same sandbox.",
    moves: ["renew"],
    decide: (step, input) => {
      wants(step, { ...input, reattach: false })
      step.openInner("renew")
    }
  }),
  row({
    on: "opened",
    at: ["snapshotting"],
    does: "Opens it in the same sandbox once the snapshot is there; from the snapshot where the sandbox has ended.",
    moves: [],
    decide: (step, input) => {
      wants(step, { ...input, reattach: false })
      step.endInner()
      step.state.isOpen = false
      if (step.state.purpose !== "replace") step.state.purpose = "leave"
    }
  }),
  row({
    on: "opened",
    at: ["lingering"],
    when: "it has ended by itself",
    holds: ({ state }) => state.exited,
    does: "Stores its file system where something in it is new, destroys it and makes another from there.",
    moves: ["snapshot", "discard"],
    decide: (step, input) => {
      wants(step, { ...input, reattach: false })
      step.replace("the sandbox had ended")
    }
  }),
  row({
    on: "opened",
    at: ["lingering"],
    when: "its bridge is connected",
    holds: ({ state }) => state.connected,
    does: "Opens the generation in it.",
    moves: ["renew"],
    decide: (step, input) => {
      wants(step, { ...input, reattach: false })
      step.openInner("renew")
    }
  }),
  row({
    on: "opened",
    at: ["lingering"],
    does: "Asks the provider what became of it.",
    moves: ["look"],
    decide: (step, input) => {
      wants(step, { ...input, reattach: false })
      step.move("look")
      step.act({ do: "look", sandboxId: step.state.sandboxId })
    }
  }),
  row({
    on: "opened",
    at: ["destroying"],
    does: "Makes another once this one is gone.",
    moves: [],
    decide: (step, input) => {
      wants(step, { ...input, reattach: false })
      step.state.after = "respawn"
      step.state.reason = "the one before was on its way out"
    }
  }),

  row({
    on: "looked",
    at: ["looking"],
    when: "it runs or starts, and the log lets its bridge in",
    holds: (step, { condition, sandboxId }) =>
      (condition === "running" || condition === "starting") &&
      (sandboxId ?? step.state.sandboxId) !== null &&
      !disowned(step),
    does: "Waits for its bridge.",
    moves: ["found"],
    decide: (step, { sandboxId, snapshotId }) => {
      const { state } = step
      state.sandboxId = sandboxId ?? state.sandboxId
      state.snapshotId = step.usable(snapshotId) ?? state.snapshotId
      step.move("found")
    }
  }),
  row({
    on: "looked",
    at: ["looking"],
    when: "it is gone, and it was to be reattached",
    holds: ({ state }, { condition }) => state.reattach && condition === "gone",
    does: "Loses the generation.",
    moves: ["giveUp"],
    decide: (step) => step.giveUp(noReattach, true)
  }),
  row({
    on: "looked",
    at: ["looking"],
    when: "it has stopped, and it was to be reattached",
    holds: ({ state }) => state.reattach,
    does: "Loses the generation; the next one goes on with its file system.",
    moves: ["release"],
    decide: (step, { sandboxId }) => {
      const { state } = step
      state.sandboxId = sandboxId ?? state.sandboxId
      state.exited = true
      step.lose(noReattach, true)
      step.linger()
    }
  }),
  row({
    on: "looked",
    at: ["looking"],
    when: "it is gone",
    holds: (_, { condition }) => condition === "gone",
    does: "Makes another, from the newest snapshot where there is one.",
    moves: ["want", "spawn"],
    decide: (step, looked) => {
      const { state } = step
      const snapshotId = step.usable(looked.snapshotId)
      const before = state.loggedSnapshotId
      state.snapshotId = snapshotId ?? null
      if (snapshotId === undefined) state.loggedSnapshotId = null
      step.tellGone("stopped", "the sandbox is gone")
      step.want(
        "want",
        before !== null && snapshotId === undefined ? "its snapshot is gone too: it begins from nothing" : ""
      )
    }
  }),
  row({
    on: "looked",
    at: ["looking"],
    does: "Stores the file system of the one that has stopped, destroys it and makes another from there.",
    moves: ["snapshot", "discard"],
    decide: (step, { sandboxId, snapshotId }) => {
      const { state } = step
      state.sandboxId = sandboxId ?? state.sandboxId
      state.snapshotId = step.usable(snapshotId) ?? null
      state.exited = true
      step.replace("the sandbox had stopped")
    }
  }),
  row({
    on: "looked",
    at: ["stale"],
    when: "it is gone",
    holds: (_, { condition }) => condition === "gone",
    does: "Loses the generation at once.",
    moves: ["forget"],
    decide: (step) => {
      step.tell("stopped", { reason: "the sandbox is gone" })
      step.lose("its sandbox is gone", true)
      step.forget()
    }
  }),
  row({
    on: "looked",
    at: ["stale"],
    when: "it has stopped",
    holds: (_, { condition }) => condition === "stopped",
    does: "Loses the generation at once; the next one goes on with its file system.",
    moves: ["release"],
    decide: (step) => {
      step.tell("stopped", { reason: "the sandbox has stopped" })
      step.lose("its sandbox has stopped", true)
      step.state.inner = null
      step.state.exited = true
      step.linger()
    }
  }),
  row({
    on: "looked",
    at: ["lingering"],
    when: "it is gone",
    holds: (_, { condition }) => condition === "gone",
    does: "Forgets it.",
    moves: ["forget"],
    decide: (step) => step.forget()
  }),
  row({
    on: "looked",
    at: ["lingering"],
    when: "it has stopped",
    holds: (_, { condition }) => condition === "stopped",
    does: "The next generation goes on with its file system.",
    moves: [],
    decide: ({ state }) => {
      state.exited = true
      state.connected = false
      state.inner = null
    }
  }),
  row({
    on: "lookFailed",
    at: ["looking"],
    does: "Loses the generation: a second sandbox must not be made while the first may run.",
    moves: ["giveUp"],
    decide: (step, { reason, retryable }) => lostSight(step, reason, retryable)
  }),
  row({
    on: "look",
    at: ["looking"],
    does: "The same: the provider does not answer.",
    moves: ["giveUp"],
    decide: (step) => lostSight(step, "the provider did not answer in time", true)
  }),

  row({
    on: "spawn again",
    at: ["pending"],
    does: "Spawns, unless the breaker says to wait.",
    moves: ["spawn"],
    decide: (step) => step.trySpawn()
  }),
  row({
    on: "patience",
    at: ["pending"],
    does: "Gives up: the provider has failed for everybody all the while.",
    moves: ["giveUp"],
    decide: (step) => step.giveUp("the provider of sandboxes fails, and no try was let through", true)
  }),
  row({
    on: "spawned",
    at: ["warming"],
    when: "its bridge was quicker",
    holds: ({ state }) => state.connected,
    does: "Opens the generation in it.",
    moves: ["greet"],
    decide: (step, { sandboxId }) => {
      step.spawnEnded("succeeded")
      step.state.sandboxId = sandboxId
      step.openInner("greet")
    }
  }),
  row({
    on: "spawned",
    at: ["warming"],
    does: "Waits for its bridge.",
    moves: ["made"],
    decide: (step, { sandboxId }) => {
      step.spawnEnded("succeeded")
      step.state.sandboxId = sandboxId
      step.move("made")
    }
  }),
  row({
    on: "spawnFailed",
    at: ["warming"],
    when: "the snapshot is not there any more",
    holds: (_, { missing }) => missing === true,
    does: "Makes one from nothing, at once, and says so.",
    moves: ["retry", "spawn", "giveUp"],
    decide: (step) => {
      const { state } = step
      const reason = "the snapshot is not there any more: it begins from nothing"
      step.spawnEnded("succeeded")
      step.tell("failed", { reason })
      state.snapshotId = null
      state.loggedSnapshotId = null
      state.spawns -= 1
      step.want("retry", reason)
      step.note(reason)
    }
  }),
  row({
    on: "spawnFailed",
    at: ["warming"],
    when: "it may be the snapshot, and it was the last try or cannot succeed later",
    holds: (step, { damaged, retryable }) => damaged === true && step.isRestored && (!retryable || step.isLastRestore),
    does: "Gives the snapshot up, says so, and makes one anew.",
    moves: ["anew", "spawn"],
    decide: (step, { reason, retryable, retryAfterMs }) => {
      if (retryable) spawnBroke(step, reason)
      else step.tell("failed", { reason })
      step.abandon(reason)
      step.want("anew", reason, retryAfterMs)
    }
  }),
  row({
    on: "spawnFailed",
    at: ["warming"],
    when: "it cannot succeed later",
    holds: (_, { retryable }) => !retryable,
    does: "Gives up for good, with the reason.",
    moves: ["giveUp"],
    decide: (step, { reason }) => step.giveUp(`no sandbox could be made: ${reason}`, false)
  }),
  row({
    on: "spawnFailed",
    at: ["warming"],
    when: "the provider asks to wait for longer than anybody would",
    holds: ({ policy }, { retryAfterMs }) => (retryAfterMs ?? 0) >= policy.spawnTimeoutMs,
    does: "Counts it at the breaker and gives up, with the reason.",
    moves: ["giveUp"],
    decide: (step, { reason, retryAfterMs }) => {
      spawnBroke(step, reason)
      step.giveUp(`no sandbox could be made: ${reason}, and not before ${Math.ceil(retryAfterMs! / 1_000)} s`, true)
    }
  }),
  row({
    on: "spawnFailed",
    at: ["warming"],
    does: "Counts it at the breaker and tries again after a cooldown, while tries are left.",
    moves: ["retry", "spawn", "giveUp"],
    decide: (step, { damaged, reason, retryAfterMs }) => {
      spawnBroke(step, reason)
      if (damaged === true) step.restoreFailed()
      step.want("retry", reason, retryAfterMs)
    }
  }),
  row({
    on: "spawn",
    at: ["warming"],
    when: "it was the last try of the snapshot",
    holds: (step) => step.isLastRestore,
    does: "Counts it at the breaker, gives the snapshot up, says so, and destroys whatever comes of it before one is made anew.",
    moves: ["discard"],
    decide: (step) => {
      step.spawnEnded("broke")
      step.abandon(tooSlow)
      step.discard("respawn", tooSlow)
    }
  }),
  row({
    on: "spawn",
    at: ["warming"],
    does: "Counts it at the breaker, and destroys whatever comes of it before the next try.",
    moves: ["discard"],
    decide: (step) => {
      step.spawnEnded("broke")
      step.restoreFailed()
      step.discard("respawn", tooSlow)
    }
  }),

  row({
    on: "connected",
    at: ["warming"],
    does: "Waits for the provider's answer: the bridge was quicker.",
    moves: [],
    decide: (step, { open }) => {
      step.state.inner = open
    }
  }),
  row({
    on: "connected",
    at: ["looking"],
    when: "the log lets it in",
    holds: (step) => !disowned(step) && step.state.sandboxId !== null,
    does: "It lives, whatever the provider says: opens the generation in it, or goes on with the one that is open.",
    moves: ["greet", "reattach", "release"],
    decide: greet
  }),
  row({
    on: "connected",
    at: ["connecting"],
    does: "Opens the generation in it, or goes on with the one that is open; lost where that is not open any more.",
    moves: ["greet", "reattach", "release"],
    decide: greet
  }),
  row({
    on: "connect",
    at: ["connecting"],
    when: "it was to be reattached",
    holds: ({ state }) => state.reattach,
    does: "Loses the generation; the sandbox waits for the next.",
    moves: ["release"],
    decide: (step) => {
      step.lose("its bridge did not come back in time", true)
      step.linger()
    }
  }),
  row({
    on: "connect",
    at: ["connecting"],
    when: "it was the last try of the snapshot",
    holds: (step) => step.isLastRestore,
    does: "Gives the snapshot up, says so, destroys the sandbox and makes one anew.",
    moves: ["discard"],
    decide: (step) => {
      step.abandon(noBridge)
      step.discard("respawn", noBridge)
    }
  }),
  row({
    on: "connect",
    at: ["connecting"],
    does: "Stores what is new in it, destroys it and makes another, while tries are left.",
    moves: ["snapshot", "discard"],
    decide: (step) => {
      step.restoreFailed()
      step.replace(noBridge)
    }
  }),

  row({
    on: "innerOpened",
    at: ["syncing"],
    does: "The generation is open.",
    moves: ["open", "work"],
    decide: (step) => step.open("open")
  }),
  row({
    on: "innerOpened",
    at: ["stale"],
    when: "it was being opened",
    holds: ({ state }) => !state.isOpen,
    does: "It speaks again, and the generation is open.",
    moves: ["open", "work"],
    decide: (step) => step.open("open")
  }),
  row({
    on: "sync",
    at: ["syncing"],
    does: "Loses the generation; the sandbox waits for the next.",
    moves: ["release"],
    decide: (step) => {
      step.lose("the workspace was not ready in time", true)
      step.linger()
    }
  })
]

const lostSight = (step: LifecycleStep, reason: string, retryable: boolean): void => {
  // What the log knows of the sandbox stays as it is: the next generation asks again.
  step.lose(`what became of its sandbox is not known: ${reason}`, retryable)
  step.giveUp(reason, retryable)
}
