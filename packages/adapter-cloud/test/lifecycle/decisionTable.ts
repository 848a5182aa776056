/** The table of decisions as tests have it: a situation, what happens, where it leads, and what is asked for. */
import type { LifecyclePhase } from "../../src/lifecycle/LifecycleChart.ts"
import type { Given } from "./given.ts"
import type { Word } from "./LifecycleBench.ts"

/** What people are told of a snapshot that nothing comes of. */
const givenUp = (reason: string) =>
  `note (the snapshot p1 is given up, because nothing came of it: ${reason}. The sandbox is made anew from the session's ` +
  "workspace: what was in the snapshot and was not pushed is lost, unless somebody saves it from its provider before the " +
  "next one is taken)"

/** All rows. Each decision of the lifecycle is in at least one of them. */
export const decisionTable: ReadonlyArray<
  readonly [given: Given, happens: Word, phase: LifecyclePhase, actions: ReadonlyArray<string>]
> = [
  ["nothing", "open", "warming", ["pending", "warming", "create"]],
  ["nothing", "open known", "looking", ["look s1"]],
  ["nothing", "open snapshot", "looking", ["look whatever"]],
  ["nothing", "open nameless", "looking", ["look whatever"]],
  ["nothing", "reattach", "looking", ["look s1"]],
  ["nothing", "reattach nothing", "failed", ["lost (the sandbox that it ran in is gone)", "forget"]],
  ["nothing", "close", "stopped", ["closed", "forget"]],
  ["nothing", "detach", "stopped", ["forget"]],
  ["the breaker is open", "open again", "pending", []],
  ["looking", "open again", "looking", []],
  ["warming", "open again", "warming", []],
  ["connecting", "open again", "connecting", []],
  ["syncing", "open again", "syncing", ["endInner 1", "thaw", "openInner"]],
  ["running", "open again", "syncing", ["endInner 1", "thaw", "openInner"]],
  ["stale", "open again", "syncing", ["endInner 1", "thaw", "openInner"]],
  ["snapshot to rest", "open again", "snapshotting", ["endInner 1"]],
  ["snapshot to leave", "open again", "snapshotting", []],
  ["lingering", "open again", "syncing", ["thaw", "openInner"]],
  ["lingering without a link", "open again", "looking", ["look s1"]],
  ["lingering after it ended", "open again", "snapshotting", ["snapshot s1"]],
  ["destroying", "open again", "destroying", []],
  ["closing", "open again", "destroying", []],
  ["looking", "look running", "connecting", []],
  ["looking", "look stopped", "snapshotting", ["snapshot s1"]],
  ["looking", "look gone", "warming", ["stopped (the sandbox is gone)", "pending p1", "warming", "restore p1"]],
  [
    "looking",
    "look newer",
    "warming",
    ["stopped (the sandbox is gone)", "pending p2", "removeSnapshot p1", "warming", "restore p2"]
  ],
  [
    "looking",
    "look nothing",
    "warming",
    ["stopped (the sandbox is gone)", "pending (its snapshot is gone too: it begins from nothing)", "warming", "create"]
  ],
  ["looking for what was given up", "look running", "snapshotting", ["snapshot s1"]],
  ["looking for what has no name", "look running", "connecting", []],
  [
    "looking for what has no name",
    "look nothing",
    "warming",
    ["stopped (the sandbox is gone)", "pending", "warming", "create"]
  ],
  ["looking, to reattach", "look running", "connecting", []],
  [
    "looking, to reattach",
    "look gone",
    "failed",
    ["failed (the sandbox that it ran in is gone)", "lost (the sandbox that it ran in is gone)", "forget"]
  ],
  ["looking, to reattach", "look stopped", "lingering", ["lost (the sandbox that it ran in is gone)"]],
  ["stale", "look running", "stale", []],
  ["stale", "look gone", "stopped", ["stopped (the sandbox is gone)", "lost (its sandbox is gone)", "forget"]],
  ["stale", "look stopped", "lingering", ["stopped (the sandbox has stopped)", "lost (its sandbox has stopped)"]],
  ["lingering because it could not be stored", "look gone", "stopped", ["forget"]],
  ["lingering because it could not be stored", "look stopped", "lingering", []],
  ["looking", "look fails", "failed", ["lost (what became of its sandbox is not known: no answer)", "forget"]],
  [
    "looking",
    "look is forbidden",
    "failed",
    ["lost for good (what became of its sandbox is not known: no credentials)", "forget"]
  ],
  [
    "looking",
    "time",
    "failed",
    ["lost (what became of its sandbox is not known: the provider did not answer in time)", "forget"]
  ],
  ["cooling", "time", "warming", ["warming", "create"]],
  ["the breaker is open", "time", "warming", ["warming", "create"]],
  [
    "the breaker stays shut",
    "time",
    "failed",
    [
      "failed (the provider of sandboxes fails, and no try was let through)",
      "lost (the provider of sandboxes fails, and no try was let through)",
      "forget"
    ]
  ],
  ["warming", "spawned", "connecting", []],
  ["the bridge was quicker", "spawned", "syncing", ["syncing s1", "openInner"]],
  [
    "restoring",
    "spawn misses",
    "warming",
    [
      "failed (the snapshot is not there any more: it begins from nothing)",
      "pending (the snapshot is not there any more: it begins from nothing)",
      "warming",
      "create",
      "note (the snapshot is not there any more: it begins from nothing)"
    ]
  ],
  ["restoring", "spawn is in vain", "pending", ["failed (a layer is missing)", "pending p1 (a layer is missing)"]],
  [
    "restoring",
    "spawn can only be in vain",
    "pending",
    ["failed (not readable)", givenUp("not readable"), "pending (not readable)"]
  ],
  ["restoring for the last time", "spawn fails", "pending", ["failed (busy)", "pending p1 (busy)"]],
  [
    "restoring for the last time",
    "spawn is in vain",
    "pending",
    ["failed (a layer is missing)", givenUp("a layer is missing"), "pending (a layer is missing)"]
  ],
  [
    "restoring for the last time",
    "time",
    "destroying",
    [givenUp("the provider did not make it in time"), "destroy whatever"]
  ],
  ["restored", "time", "destroying", ["destroy s1"]],
  ["restored", "exit", "destroying", ["destroy s1"]],
  ["restored for the last time", "time", "destroying", [givenUp("its bridge did not come in time"), "destroy s1"]],
  [
    "restored for the last time",
    "exit",
    "destroying",
    [givenUp("it ended before its bridge came: out of memory"), "destroy s1"]
  ],
  [
    "destroying what came of a snapshot that was given up",
    "destroyed",
    "pending",
    ["stopped (its bridge did not come in time)", "pending (its bridge did not come in time)"]
  ],
  ["ready without the snapshot that was given up", "close", "destroying", ["removeSnapshot p1", "destroy s1"]],
  [
    "snapshot to suspend, after one was given up",
    "taken",
    "destroying",
    ["removeSnapshot p1", "snapshotted p2 (it was asked to)", "suspended (it was asked to)", "destroy s1"]
  ],
  [
    "looking, after a snapshot was given up",
    "look gone",
    "warming",
    ["stopped (the sandbox is gone)", "pending", "warming", "create"]
  ],
  [
    "warming",
    "spawn is refused",
    "failed",
    [
      "failed (no sandbox could be made: no such image)",
      "lost for good (no sandbox could be made: no such image)",
      "forget"
    ]
  ],
  ["warming", "spawn is to wait", "pending", ["failed (too many)", "pending (too many)"]],
  [
    "warming",
    "spawn is to wait for an hour",
    "failed",
    ["failed (too many)", "lost (no sandbox could be made: too many, and not before 3600 s)", "forget"]
  ],
  ["warming", "spawn fails", "pending", ["failed (busy)", "pending (busy)"]],
  ["the last spawn", "spawn fails", "failed", ["failed (busy)", "lost (no sandbox after 3 tries: busy)", "forget"]],
  ["warming", "time", "destroying", ["destroy whatever"]],
  ["warming", "connect", "warming", []],
  ["looking", "connect", "syncing", ["thaw", "openInner"]],
  ["looking, to reattach", "connect 1", "ready", ["thaw", "ready s1"]],
  ["looking, to reattach", "connect", "lingering", ["lost (what it ran is not open any more in its sandbox)"]],
  ["connecting", "connect", "syncing", ["syncing s1", "openInner"]],
  ["found", "connect 1", "syncing", ["endInner 1", "thaw", "openInner"]],
  ["found, to reattach", "connect 1", "ready", ["thaw", "ready s1"]],
  ["found, to reattach", "connect", "lingering", ["lost (what it ran is not open any more in its sandbox)"]],
  ["connecting", "time", "destroying", ["destroy s1"]],
  ["found", "time", "snapshotting", ["snapshot s1"]],
  ["found, to reattach", "time", "lingering", ["lost (its bridge did not come back in time)"]],
  ["syncing", "inner opens", "ready", ["ready s1"]],
  ["syncing while a turn is asked for", "inner opens", "running", ["ready s1", "running"]],
  ["stale while it was opened", "inner opens", "ready", ["ready s1"]],
  ["syncing for too long", "time", "lingering", ["lost (the workspace was not ready in time)", "endInner 1"]],
  ["syncing without a link", "connect", "syncing", ["link up"]],
  ["ready", "connect", "lingering", ["lost (the bridge in its sandbox was started again)"]],
  ["ready without a link", "connect 1", "ready", ["link up"]],
  ["stale", "connect", "lingering", ["lost (the bridge in its sandbox was started again)"]],
  ["stale without a link", "connect 1", "ready", ["link up", "ready s1"]],
  ["stale while it was opened", "connect", "syncing", []],
  ["snapshot to rest", "connect", "snapshotting", ["lost (the bridge in its sandbox was started again)"]],
  ["snapshot to rest, without a link", "connect 1", "snapshotting", ["link up"]],
  ["lingering", "connect 1", "lingering", ["endInner 1"]],
  ["ready", "disconnect", "ready", ["link down"]],
  ["syncing", "disconnect", "syncing", ["link down"]],
  ["snapshot to rest", "disconnect", "snapshotting", ["link down"]],
  ["lingering", "disconnect", "lingering", []],
  ["connecting", "disconnect", "connecting", []],
  ["stale", "hear", "ready", ["ready s1"]],
  ["stale while it was opened", "hear", "syncing", []],
  ["stale while a turn runs", "hear", "running", ["ready s1", "running"]],
  ["ready", "time", "stale", ["stale (its bridge is silent)", "look s1"]],
  ["syncing", "time", "stale", ["stale (its bridge is silent)", "look s1"]],
  ["stale", "time", "lingering", ["lost (its sandbox was not heard of for too long)", "endInner 1"]],
  ["syncing", "inner is refused", "lingering", ["lost for good (no such program)"]],
  ["ready", "inner dies", "lingering", ["lost (it crashed)"]],
  ["snapshot to rest", "inner dies", "snapshotting", ["lost (it crashed)"]],
  ["ready", "work", "running", ["running"]],
  ["running", "rest", "ready", ["ready"]],
  ["snapshot to rest", "work", "snapshotting", []],
  ["snapshot to rest", "rest", "snapshotting", []],
  ["snapshot to suspend", "work", "snapshotting", []],
  ["ready for half an hour", "time", "snapshotting", ["snapshot s1"]],
  [
    "ready, without snapshots",
    "time",
    "destroying",
    [
      "stopped (nothing happened in it for a while, without a snapshot: this provider takes none)",
      "suspended (nothing happened in it for a while)",
      "destroy s1"
    ]
  ],
  ["ready", "suspend", "snapshotting", ["snapshot s1"]],
  ["running", "suspend", "snapshotting", ["snapshot s1"]],
  ["stale", "suspend", "snapshotting", ["snapshot s1"]],
  [
    "stale while it was opened",
    "suspend",
    "lingering",
    ["suspended (it was asked to, before it was open)", "endInner 1"]
  ],
  ["snapshot on schedule", "suspend", "snapshotting", []],
  ["snapshot to rest", "suspend", "snapshotting", []],
  ["running for half an hour", "time", "snapshotting", ["snapshot s1"]],
  ["snapshot on schedule", "taken", "running", ["snapshotted p2", "thaw", "ready s1", "running"]],
  ["snapshot on schedule, the turn ended", "taken", "ready", ["snapshotted p2", "thaw", "ready s1"]],
  [
    "snapshot to rest",
    "taken",
    "destroying",
    [
      "snapshotted p2 (nothing happened in it for a while)",
      "suspended (nothing happened in it for a while)",
      "destroy s1"
    ]
  ],
  [
    "snapshot to suspend",
    "taken",
    "destroying",
    ["snapshotted p2 (it was asked to)", "suspended (it was asked to)", "destroy s1"]
  ],
  ["snapshot to replace", "taken", "destroying", ["snapshotted p2", "removeSnapshot p1", "destroy s1"]],
  ["snapshot to leave", "taken", "destroying", ["destroy s1"]],
  ["snapshot to leave, wanted again", "taken", "syncing", ["snapshotted p2", "thaw", "openInner"]],
  ["snapshot to leave, wanted again without a link", "taken", "looking", ["snapshotted p2", "look s1"]],
  ["snapshot to leave, wanted again after it ended", "taken", "destroying", ["snapshotted p2", "destroy s1"]],
  ["ready", "taken", "ready", ["removeSnapshot p2"]],
  [
    "snapshot on schedule",
    "not taken",
    "running",
    ["note (no snapshot could be taken: busy)", "thaw", "ready s1", "running"]
  ],
  ["snapshot to rest", "not taken", "snapshotting", []],
  [
    "snapshot to rest, the last try",
    "not taken",
    "ready",
    ["note (it is not put to rest, because no snapshot could be taken: busy)", "thaw"]
  ],
  [
    "snapshot to rest",
    "not to be taken",
    "ready",
    ["note (it is not put to rest, because no snapshot could be taken: disk full)", "thaw"]
  ],
  [
    "snapshot to rest",
    "never taken",
    "destroying",
    [
      "stopped (nothing happened in it for a while, without a snapshot: cannot)",
      "suspended (nothing happened in it for a while)",
      "destroy s1"
    ]
  ],
  [
    "snapshot to suspend",
    "never taken",
    "destroying",
    ["stopped (it was asked to, without a snapshot: cannot)", "suspended (it was asked to)", "destroy s1"]
  ],
  [
    "snapshot to replace",
    "never taken",
    "destroying",
    ["note (what was new in the sandbox is gone with it: cannot)", "destroy s1"]
  ],
  [
    "snapshot to replace, the last try",
    "not taken",
    "destroying",
    ["note (what was new in the sandbox is gone with it: busy)", "destroy s1"]
  ],
  ["snapshot to leave", "not taken", "snapshotting", []],
  ["snapshot to leave, the last try", "not taken", "lingering", ["thaw", "look s1"]],
  ["snapshot to leave", "never taken", "destroying", ["destroy s1"]],
  ["snapshot to leave, wanted again", "not to be taken", "syncing", ["thaw", "openInner"]],
  ["snapshot to leave what has ended", "not taken", "destroying", ["destroy s1"]],
  ["snapshot to rest", "time", "snapshotting", []],
  ["snapshot to rest, between two tries", "time", "snapshotting", ["snapshot s1"]],
  ["ready", "detach", "stopped", ["forget"]],
  ["warming", "release 2", "warming", []],
  ["cooling", "release", "stopped", ["forget"]],
  ["looking for what has no name", "release 2", "stopped", ["forget"]],
  ["looking", "release 2", "lingering", []],
  ["warming", "release", "destroying", ["destroy whatever"]],
  ["connecting", "release", "lingering", []],
  ["ready", "release", "lingering", ["endInner 1"]],
  ["running", "release", "lingering", ["endInner 1"]],
  ["stale", "release", "lingering", ["endInner 1"]],
  ["snapshot to rest", "release", "snapshotting", ["endInner 1"]],
  ["destroying, and wanted again", "release 2", "destroying", []],
  ["cooling", "suspend", "stopped", ["suspended (it was asked to, before it was open)", "forget"]],
  ["looking for what has no name", "suspend", "stopped", ["suspended (it was asked to, before it was open)", "forget"]],
  ["warming", "suspend", "destroying", ["suspended (it was asked to, before it was open)", "destroy whatever"]],
  ["looking", "suspend", "lingering", ["suspended (it was asked to, before it was open)"]],
  ["connecting", "suspend", "lingering", ["suspended (it was asked to, before it was open)"]],
  ["syncing", "suspend", "lingering", ["suspended (it was asked to, before it was open)", "endInner 1"]],
  ["lingering", "suspend", "snapshotting", ["snapshot s1"]],
  ["destroying, and wanted again", "suspend", "destroying", ["suspended (it was asked to, before it was open)"]],
  ["lingering", "time", "snapshotting", ["snapshot s1"]],
  ["lingering, and nothing is new", "time", "destroying", ["destroy s1"]],
  ["cooling", "close", "stopped", ["stopped (the session is over)", "closed", "forget"]],
  ["looking", "close", "destroying", ["removeSnapshot p1", "destroy s1"]],
  ["warming", "close", "destroying", ["destroy whatever"]],
  ["connecting", "close", "destroying", ["destroy s1"]],
  ["ready", "close", "destroying", ["destroy s1"]],
  ["snapshot to rest", "close", "destroying", ["destroy s1"]],
  ["lingering", "close", "destroying", ["destroy s1"]],
  ["destroying", "close", "destroying", ["removeSnapshot p2"]],
  ["ready", "ban", "destroying", ["failed (too much)", "lost for good (too much)", "destroy s1"]],
  ["warming", "ban", "destroying", ["failed (too much)", "lost for good (too much)", "destroy whatever"]],
  ["lingering", "ban", "destroying", ["destroy s1"]],
  [
    "found, to reattach",
    "exit",
    "lingering",
    ["stopped (out of memory)", "lost (its sandbox has ended: out of memory)"]
  ],
  ["connecting", "exit", "destroying", ["destroy s1"]],
  ["found", "exit", "snapshotting", ["snapshot s1"]],
  ["ready", "exit", "lingering", ["stopped (out of memory)", "lost (its sandbox has ended: out of memory)"]],
  ["ready", "exit of another", "ready", []],
  [
    "snapshot to rest",
    "exit",
    "snapshotting",
    ["stopped (out of memory)", "lost (its sandbox has ended: out of memory)"]
  ],
  ["snapshot to replace", "exit", "snapshotting", []],
  ["lingering", "exit", "lingering", []],
  ["destroying", "destroyed", "stopped", ["forget"]],
  [
    "destroying, and wanted again",
    "destroyed",
    "warming",
    [
      "stopped (the one before was on its way out)",
      "pending p2 (the one before was on its way out)",
      "warming",
      "restore p2"
    ]
  ],
  [
    "destroying to replace",
    "destroyed",
    "warming",
    ["pending p2 (its bridge did not come in time)", "warming", "restore p2"]
  ],
  [
    "destroying what there was",
    "destroyed what there was",
    "pending",
    ["stopped (the provider did not make it in time)", "pending (the provider did not make it in time)"]
  ],
  ["closing", "destroyed", "stopped", ["stopped (the session is over)", "closed", "forget"]],
  ["destroying", "not destroyed", "failed", ["forget"]],
  [
    "destroying, and wanted again",
    "not destroyed",
    "warming",
    [
      "failed (the sandbox could not be destroyed: busy)",
      "pending p2 (the one before was on its way out)",
      "warming",
      "restore p2"
    ]
  ],
  [
    "destroying to replace",
    "not destroyed",
    "warming",
    [
      "failed (the sandbox could not be destroyed: busy)",
      "pending p2 (its bridge did not come in time)",
      "warming",
      "restore p2"
    ]
  ],
  ["closing", "not destroyed", "stopped", ["failed (the sandbox could not be destroyed: busy)", "closed", "forget"]],
  ["destroying", "time", "failed", ["forget"]],
  [
    "closing",
    "time",
    "stopped",
    ["failed (the sandbox could not be destroyed: the provider did not answer in time)", "closed", "forget"]
  ]
]
