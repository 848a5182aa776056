/** Notifications that become no event of their own: kept as notes, or left out by name and for a reason. */
import { type BackendEvent, boundRaw, note, own } from "@holdfast/core"

type Level = "info" | "warning" | "error"

/** Notifications that are told as notes, with where their text is. */
const noted: { readonly [method: string]: readonly [level: Level, ...fields: ReadonlyArray<string>] } = {
  warning: ["warning", "message"],
  guardianWarning: ["warning", "message"],
  configWarning: ["warning", "summary", "details"],
  deprecationNotice: ["info", "summary", "details"],
  "model/rerouted": ["warning", "fromModel", "toModel", "reason"],
  "model/verification": ["info"],
  "modelProvider/authRecoveryStarted": ["warning", "message"],
  "modelProvider/authRecoveryCompleted": ["info", "message"],
  "mcpServer/oauthLogin/completed": ["info", "name", "error"],
  "item/autoApprovalReview/completed": ["info", "decisionSource"],
  "autoApprovalReview/strictReviewRequired": ["warning"],
  "thread/closed": ["info"],
  "thread/deleted": ["warning"],
  "thread/environment/connected": ["info", "environmentId"],
  "thread/environment/disconnected": ["warning", "environmentId"],
  "windows/worldWritableWarning": ["warning"]
}

/**
 * Notifications that are left out, and why. What is in neither list is kept as a note, so that a newer server's news are
 * not lost.
 */
export const leftOut: { readonly [method: string]: string } = {
  "thread/status/changed": "turns and requests say the same, each with what it is about",
  "thread/readState/changed": "what a reader has seen is the host's own",
  "thread/goal/cleared": "told at each resume, of goals that nobody set",
  "thread/compacted": "deprecated: the item says it",
  "thread/archived": "answers our own request",
  "thread/unarchived": "answers our own request",
  "thread/reverted": "answers our own request, without the turn",
  "thread/settings/updated": "the session tells what was chosen",
  "thread/section/changed": "lists of the desktop app",
  "thread/attachment/updated": "lists of the desktop app",
  "thread/prediction/updated": "suggestions for an input field",
  "thread/queue/changed": "the queue is Holdfast's own",
  "thread/project/updated": "lists of the desktop app",
  "project/changed": "lists of the desktop app",
  "item/fileChange/outputDelta": "deprecated, never sent",
  "item/autoApprovalReview/started": "its completion is noted",
  "hook/started": "its completion is noted where it failed",
  "turn/moderationMetadata": "for the provider's own app",
  "model/safetyBuffering/updated": "for the provider's own app",
  "rawResponseItem/completed": "the items say it",
  "rawResponse/completed": "the items say it",
  "account/updated": "of the account, not of the session",
  "account/gatewayOAuth/changed": "of the account, not of the session",
  "account/rateLimits/updated": "of the account, not of the session",
  "account/login/completed": "of the account, not of the session",
  "remoteControl/status/changed": "of the desktop app",
  "externalAgentConfig/import/progress": "of the desktop app",
  "externalAgentConfig/import/completed": "of the desktop app",
  "app/list/updated": "of the desktop app",
  "skills/changed": "of the installation, not of the session",
  "fs/changed": "answers a watch that we never ask for",
  "command/exec/outputDelta": "answers a command that we never ask for",
  "process/outputDelta": "answers a command that we never ask for",
  "process/exited": "answers a command that we never ask for",
  "fuzzyFileSearch/sessionUpdated": "answers a search that we never ask for",
  "fuzzyFileSearch/sessionCompleted": "answers a search that we never ask for",
  "mcpServer/event/stream/notification": "answers a stream that we never ask for",
  "windowsSandbox/setupCompleted": "answers a setup that we never ask for",
  "thread/realtime/started": "speech, which we never ask for",
  "thread/realtime/itemAdded": "speech, which we never ask for",
  "thread/realtime/item/started": "speech, which we never ask for",
  "thread/realtime/item/transcript/delta": "speech, which we never ask for",
  "thread/realtime/item/completed": "speech, which we never ask for",
  "thread/realtime/transcript/delta": "speech, which we never ask for",
  "thread/realtime/transcript/done": "speech, which we never ask for",
  "thread/realtime/outputAudio/delta": "speech, which we never ask for",
  "thread/realtime/sdp": "speech, which we never ask for",
  "thread/realtime/error": "speech, which we never ask for",
  "thread/realtime/closed": "speech, which we never ask for"
}

/** Notifications that are noted where they tell of a failure: by the field that says so, and the values that do. */
const whereFailed: { readonly [method: string]: readonly [path: ReadonlyArray<string>, quiet: ReadonlySet<string>] } = {
  "mcpServer/startupStatus/updated": [["status"], new Set(["starting", "ready"])],
  "hook/completed": [["run", "status"], new Set(["running", "completed"])]
}

/** A goal of the model's own, for which Codex starts turns by itself: noted where it is new or has another status. */
const goalUpdated = "thread/goal/updated"

/** The methods that are looked at here, for a comparison with those that there are. */
export const noticeMethods: ReadonlyArray<string> = [
  ...Object.keys(noted),
  ...Object.keys(leftOut),
  ...Object.keys(whereFailed),
  goalUpdated
]

/** Notes of one unknown method, so that a stream of deltas that we do not know fills no log. */
const maxUnknown = 20

/** Unknown methods that are counted; beyond, none is noted any more. */
const maxMethods = 64

/** Tells what the notifications without an event of their own say. */
export const makeCodexNotices = (): ((method: string, params: unknown) => ReadonlyArray<BackendEvent>) => {
  const unknown = new Map<string, number>()
  let lastGoal = ""
  return (method, params) => {
    if (Object.hasOwn(leftOut, method)) return []
    if (method === goalUpdated) {
      const goal = `Goal, ${textAt(params, ["goal", "status"])}: ${textAt(params, ["goal", "objective"])}`
      if (goal === lastGoal) return []
      lastGoal = goal
      return [note("info", goal, boundRaw(params), method)]
    }
    const known = own(noted, method)
    if (known !== undefined) {
      const [level, ...fields] = known
      const said = fields.flatMap((field) => textAt(params, [field]) ?? [])
      const isText = fields[0] === "message" || fields[0] === "summary"
      return [note(level, isText ? said.join("\n") || method : [method, ...said].join(" "), boundRaw(params), method)]
    }
    const [path, quiet] = own(whereFailed, method) ?? []
    if (path !== undefined) {
      const status = textAt(params, path)
      if (status === undefined || quiet!.has(status)) return []
      const what = [textAt(params, ["name"]), status, textAt(params, ["error"])].filter((part) => part !== undefined)
      return [note("warning", [method, ...what].join(" "), boundRaw(params), method)]
    }
    const count = (unknown.get(method) ?? 0) + 1
    if (count > maxUnknown || (count === 1 && unknown.size >= maxMethods)) return []
    unknown.set(method, count)
    const more = count === maxUnknown ? "; further ones are left out" : ""
    return [note("info", `Codex told something that is not known${more}: ${method}`, boundRaw(params), "unknown")]
  }
}

const textAt = (params: unknown, path: ReadonlyArray<string>): string | undefined => {
  let at = params
  for (const key of path) {
    if (typeof at !== "object" || at === null) return undefined
    at = (at as { readonly [key: string]: unknown })[key]
  }
  return typeof at === "string" ? at : undefined
}
