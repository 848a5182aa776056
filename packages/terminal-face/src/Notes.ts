/** What happens around the turns, in a line each: the backend's comings and goings, people, the workspace, notes. */
import type { SessionEvent } from "@holdfast/core"
import type { Glyphs } from "./Glyphs.ts"
import type { Style, StyledLine } from "./StyledLine.ts"
import { clip, errorLine } from "./ToolBlock.ts"

/** UTF-16 units of a note that are shown. */
const maxNote = 4_000

/** A line about the session. */
export const noteLine = (text: string, glyphs: Glyphs, level: "info" | "warning" | "error" = "info"): StyledLine => {
  if (level === "error") return errorLine(text, glyphs)
  const style: Style = level === "warning" ? "warning" : "dim"
  const lead = level === "warning" ? glyphs.warning : glyphs.note
  return { lead: { text: lead, style }, hang: { text: "  " }, spans: [{ text: clip(text, maxNote), style }] }
}

const because = (text: string, reason: string | undefined): string =>
  reason === undefined || reason === "" ? text : `${text}: ${reason}`

/** What a note says of an event, and how serious that is; undefined for what a face does not note. */
export const noteOf = (
  event: SessionEvent,
  who: (actor: string | undefined) => string
): { readonly text: string; readonly level: "info" | "warning" | "error" } | undefined => {
  const info = (text: string) => ({ text, level: "info" as const })
  const warning = (text: string) => ({ text, level: "warning" as const })
  const failure = (text: string) => ({ text, level: "error" as const })
  switch (event.type) {
    case "session.created": {
      const { backend, forkedFrom, title } = event.data
      const origin = forkedFrom === undefined ? "" : `, a branch of ${forkedFrom.sessionId} at ${forkedFrom.seq}`
      return info(`${title === undefined || title === "" ? "Session" : title} on ${backend}${origin}`)
    }
    case "session.renamed":
      return info(`Renamed to ${event.data.title} by ${who(event.actor)}`)
    case "session.archived":
      return info(`Archived by ${who(event.actor)}`)
    case "session.unarchived":
      return info(`Taken out of the archive by ${who(event.actor)}`)
    case "session.forked":
      return info(`Branched into ${event.data.into} by ${who(event.actor)}`)
    case "session.moved":
      return info(`Moved from ${event.data.from} to ${event.data.backend} by ${who(event.actor)}`)

    case "backend.opened":
      return info(`Opened${event.data.version === undefined ? "" : ` (${event.data.version})`}`)
    case "backend.resumed":
      return info(`Resumed${event.data.version === undefined ? "" : ` (${event.data.version})`}`)
    case "backend.lost":
      return warning(`Lost: ${event.data.reason}`)
    case "backend.suspended":
      return info(`Suspended: ${event.data.reason}`)
    case "backend.closed": {
      const { exitCode, reason, signal } = event.data
      const text = `Closed: ${reason}`
      return (exitCode ?? 0) !== 0 || (signal ?? null) !== null ? failure(text) : info(text)
    }
    case "backend.failed":
      return failure(`Failed: ${event.data.message}`)
    case "backend.configured": {
      const { effort, mode, model } = event.data
      const parts = Object.entries({ model, effort, mode }).flatMap(([name, value]) =>
        value === undefined ? [] : [`${name} ${value}`]
      )
      return parts.length === 0 ? undefined : info(`Uses ${parts.join(", ")}`)
    }
    case "backend.noted":
      return { text: event.data.message, level: event.data.level }

    case "context.compacted":
      return info("The model is given a summary of what came before")
    case "history.reverted":
      return warning("The last turns were taken back: the agent does not know of them any more")
    case "history.restored":
      return info("The turns that were taken back are restored")

    case "prompt.withdrawn": {
      const reason = event.data.reason === undefined ? "" : `: ${event.data.reason}`
      return info(`A waiting prompt was withdrawn by ${who(event.actor)}${reason}`)
    }
    case "prompt.returned":
      return warning(`The agent did not take a prompt; it waits again: ${event.data.error.message}`)
    case "turn.retrying":
      return warning(`Trying again (attempt ${event.data.attempt}): ${event.data.error.message}`)

    case "artifact.added":
    case "artifact.updated": {
      const { kind, path, state, title, url } = event.data.artifact
      const where = url ?? path
      const name = kind.replace("_", " ")
      const named = `${name[0]!.toUpperCase()}${name.slice(1)} ${title}`
      return info(`${named}${state === undefined ? "" : ` (${state})`}${where === undefined ? "" : `: ${where}`}`)
    }
    case "workspace.branch_created":
      return info(`Branch ${event.data.branch}`)
    case "workspace.committed":
      return info(`Committed ${event.data.sha.slice(0, 12)} ${event.data.message.split("\n", 1)[0]}`)
    case "workspace.pushed":
      return info(`Pushed ${event.data.branch} at ${event.data.sha.slice(0, 12)}`)

    // That it is ready or works again is no news: what follows from it is.
    case "sandbox.warming":
      return info(because(`Starting a ${event.data.provider ?? ""} sandbox`.replace("  ", " "), event.data.reason))
    case "sandbox.syncing":
      return info(because("Preparing the workspace", event.data.reason))
    case "sandbox.stale":
      return warning(because("The sandbox does not answer", event.data.reason))
    case "sandbox.stopped":
      return info(because("The sandbox was stopped", event.data.reason))
    case "sandbox.failed":
      return failure(because("The sandbox failed", event.data.reason))

    case "participant.joined":
      return info(`${event.data.name} joined as ${event.data.role}`)
    case "participant.left":
      return info(`${who(event.data.participantId)} left`)
    default:
      return undefined
  }
}
