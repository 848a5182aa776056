/** What an event says of a sandbox, in words for who waits for it. */
import { type EventRecord, readEvent } from "@holdfast/core"
import { oneLine } from "../output/Text.ts"

const because = (text: string, reason: string | undefined): string =>
  reason === undefined || reason === "" ? text : `${text}: ${oneLine(reason)}`

/** How far a start is; undefined for events that say nothing of it. */
export const sandboxText = (record: EventRecord): string | undefined => {
  if (!/^(?:sandbox|backend|link)\./.test(record.type)) return undefined
  const read = readEvent(record)
  if (read.kind !== "known") return undefined
  const { event } = read
  switch (event.type) {
    case "sandbox.pending":
      return because("asking for a sandbox", event.data.reason)
    case "sandbox.warming":
      return because(
        event.data.provider === undefined ? "starting the sandbox" : `starting a ${event.data.provider} sandbox`,
        event.data.reason
      )
    case "sandbox.syncing":
      return because("preparing the workspace", event.data.reason)
    case "sandbox.ready":
      return because("the sandbox is ready", event.data.reason)
    case "sandbox.stale":
      return because("the sandbox does not answer", event.data.reason)
    case "sandbox.failed":
      return because("the sandbox failed", event.data.reason)
    case "backend.lost":
      return because("trying again", event.data.reason)
    case "link.reconnecting":
      return "waiting for the sandbox to connect"
    default:
      return undefined
  }
}
