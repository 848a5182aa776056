/** What one event says, in one line for people. The switch is complete: a new type of event has to be given its words. */
import type { SessionEvent } from "@holdfast/core"
import { gist, oneLine, size } from "./Text.ts"

/** Columns of program output that a line shows. */
const excerptColumns = 72

/** Bytes that an excerpt is looked for in: most output begins with escape sequences. */
const excerptBytes = 512

/** Joins what is there. */
const words = (...parts: ReadonlyArray<string | number | false | null | undefined>): string =>
  parts.filter((part) => part !== undefined && part !== null && part !== false && part !== "").join(" ")

const quoted = (text: string, columns = excerptColumns): string => {
  const clean = oneLine(text)
  return JSON.stringify(clean.length > columns ? `${clean.slice(0, columns - 1)}…` : clean)
}

const excerpt = (bytes: Uint8Array | undefined): string => {
  if (bytes === undefined || bytes.byteLength === 0) return ""
  const text = gist(new TextDecoder().decode(bytes.subarray(0, excerptBytes)))
  return text === "" ? "" : quoted(text)
}

const exit = (code: number | null | undefined, signal: string | null | undefined): string =>
  words(code !== undefined && code !== null && `exit code ${code}`, signal && `signal ${signal}`)

const content = (blocks: ReadonlyArray<{ readonly type: string; readonly text?: string | undefined }>): string =>
  words(
    quoted(blocks.map((block) => (block.type === "text" ? (block.text ?? "") : `[${block.type}]`)).join(" ")),
    blocks.length > 1 && `(${blocks.length} blocks)`
  )

const outcome = (one: { readonly outcome: string; readonly optionId?: string }): string =>
  words(one.outcome, one.optionId)

/** The words for an event's data. */
export const eventDetail = (event: SessionEvent): string => {
  switch (event.type) {
    case "session.created":
      return words(event.data.backend, event.data.title && quoted(event.data.title), event.data.workspace)
    case "session.renamed":
      return quoted(event.data.title)
    case "session.archived":
    case "session.unarchived":
    case "context.compacting":
    case "history.restoring":
    case "history.restored":
    case "link.connected":
      return ""
    case "session.forked":
      return words("into", event.data.into, "at", event.data.at)
    case "session.moved":
      return words("from", event.data.from, "to", event.data.backend, event.data.workspace)

    case "backend.opening":
      return words(`attempt ${event.data.attempt}`, event.data.resume && "resuming", event.data.reason)
    case "backend.opened":
    case "backend.resumed": {
      const can = Object.entries(event.data.capabilities).flatMap(([name, has]) => (has ? [name] : []))
      return words(event.data.version, event.data.nativeId, can.length > 0 && `can: ${can.join(", ")}`)
    }
    case "backend.identified":
      return event.data.nativeId
    case "backend.lost":
      return words(event.data.reason, event.data.retryable && "(may be tried again)")
    case "backend.suspending":
    case "backend.suspended":
    case "link.disconnected":
      return event.data.reason
    case "backend.closing":
      return words(event.data.reason, event.data.force ? "by force" : `grace ${event.data.graceMs / 1000} s`)
    case "backend.closed":
      return event.data.reason
    case "backend.failed":
      return words(event.data.reason, quoted(event.data.message))
    case "backend.configuring":
    case "backend.configured":
      return words(event.data.model, event.data.effort, event.data.mode)
    case "backend.noted":
      return words(event.data.level, event.data.code, quoted(event.data.message, 160))
    case "agent.titled":
      return quoted(event.data.title)
    case "agent.offered":
      return words(
        event.data.models !== undefined && `${event.data.models.length} models`,
        event.data.modes !== undefined && `${event.data.modes.length} modes`
      )
    case "context.compacted":
      return words(event.data.turnId, event.data.automatic === true && "by itself")
    case "history.reverting":
    case "history.reverted":
      return `from ${event.data.turnId}`
    case "link.reconnecting":
      return words(`attempt ${event.data.attempt}`, event.data.reason)

    case "prompt.queued":
      return words(event.data.delivery === "steer" && "steer", content(event.data.content))
    case "prompt.edited":
      return content(event.data.content)
    case "prompt.withdrawn":
      return words(event.data.promptId, event.data.reason)
    case "prompt.dispatched":
      return words(event.data.promptId, event.data.delivery, event.data.turnId)
    case "prompt.delivered":
      return words(event.data.promptId, event.data.turnId)
    case "prompt.returned":
      return words(event.data.promptId, quoted(event.data.error.message))

    case "turn.started":
    case "turn.interrupting":
      return event.data.turnId
    case "turn.retrying":
      return words(event.data.turnId, `attempt ${event.data.attempt}`, quoted(event.data.error.message))
    case "turn.completed":
      return words(event.data.turnId, event.data.outcome, event.data.reason, event.data.error?.message)

    case "item.started":
      return words(event.data.kind, event.data.role, event.data.tool?.title ?? event.data.tool?.name, event.data.itemId)
    case "item.delta":
      return words(event.data.field, quoted(event.data.text))
    case "item.updated":
      return words(
        event.data.itemId,
        event.data.status,
        event.data.title,
        event.data.background === true && "goes on in the background"
      )
    case "item.stopping":
      return event.data.itemId
    case "item.completed":
      return words(
        event.data.kind,
        event.data.status,
        event.data.tool?.title ?? event.data.tool?.name,
        event.data.text !== undefined && quoted(event.data.text),
        event.data.error?.message
      )
    case "file.changed":
      return words(
        event.data.change,
        event.data.path,
        event.data.from && `from ${event.data.from}`,
        event.data.additions !== undefined && `+${event.data.additions}`,
        event.data.deletions !== undefined && `-${event.data.deletions}`
      )
    case "usage.reported":
      return Object.entries(event.data.usage)
        .map(([name, value]) => `${name} ${value}`)
        .join(", ")

    case "permission.requested":
      return words(quoted(event.data.title), event.data.options.map((one) => one.name).join(" / "))
    case "question.asked":
      return event.data.questions.map((one) => quoted(one.text)).join(" ")
    case "permission.resolved":
    case "question.answered":
      return words(event.data.requestId, outcome(event.data.outcome), `by ${event.data.by}`)

    case "terminal.output":
      return words(size(event.bytes?.byteLength ?? 0), excerpt(event.bytes))
    case "terminal.resized":
      return `${event.data.cols}×${event.data.rows}`
    case "terminal.titled":
      return quoted(event.data.title)
    case "terminal.typed":
      return "somebody typed"
    case "terminal.snapshot":
      return words(
        `${event.data.cols}×${event.data.rows}`,
        size(event.bytes?.byteLength ?? 0),
        `stands for output through ${event.data.through}`
      )
    case "terminal.directory_changed":
      return words(event.data.path, event.data.host && `on ${event.data.host}`)
    case "terminal.belled":
      return event.data.count > 1 ? `${event.data.count} times` : ""
    case "terminal.notified":
      return words(event.data.title && quoted(event.data.title), quoted(event.data.body))
    case "terminal.progressed":
      return words(event.data.state, event.data.percent !== undefined && `${event.data.percent} %`)
    case "terminal.marked":
      return words(event.data.mark, exit(event.data.exitCode, undefined))

    case "process.spawned":
      return words(`pid ${event.data.pid}`, event.data.command, ...(event.data.args ?? []))
    case "process.signalled":
      return event.data.signal
    case "process.exited":
      return words(`pid ${event.data.pid}`, exit(event.data.exitCode, event.data.signal))

    case "sandbox.pending":
    case "sandbox.warming":
    case "sandbox.syncing":
    case "sandbox.ready":
    case "sandbox.running":
    case "sandbox.stale":
    case "sandbox.snapshotted":
    case "sandbox.stopped":
    case "sandbox.failed":
      return words(event.data.provider, event.data.sandboxId, event.data.snapshotId, event.data.reason)

    case "workspace.branch_created":
      return words(event.data.branch, event.data.base && `from ${event.data.base}`)
    case "workspace.committed":
      return words(event.data.sha.slice(0, 10), quoted(event.data.message))
    case "workspace.pushed":
      return words(event.data.branch, event.data.sha.slice(0, 10))
    case "artifact.added":
    case "artifact.updated":
      return words(event.data.artifact.kind, quoted(event.data.artifact.title), event.data.artifact.url)

    case "participant.joined":
      return words(event.data.name, `as ${event.data.role}`)
    case "participant.changed":
      return words(event.data.participantId, event.data.name, event.data.role)
    case "participant.left":
      return event.data.participantId
  }
}
