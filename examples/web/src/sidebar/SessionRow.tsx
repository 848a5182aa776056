/** One session of the list: a link to it. */
import type { SessionSummary } from "@holdfast/core"
import { memo } from "react"
import { ago, moment } from "../time/words.ts"
import { titleOf, workspaceName } from "../session/names.ts"
import { sessionLink } from "../session/sessionLink.ts"
import { BackendBadge } from "./BackendBadge.tsx"
import { isWorthSaying } from "../session/sandboxWords.ts"
import { SandboxBadge } from "./SandboxBadge.tsx"
import { StatusIcon, statusWord } from "./SessionStatus.tsx"

/** Memoised: of a thousand rows only those are drawn anew whose session, or minute, changed. */
export const SessionRow = memo(
  ({
    now,
    selected,
    session
  }: {
    readonly session: SessionSummary
    readonly selected: boolean
    readonly now: number
  }) => (
    <a
      className="session-row"
      href={sessionLink(session.sessionId)}
      aria-current={selected ? "page" : undefined}
      data-status={session.status}
    >
      <StatusIcon status={session.status} />
      <span className="session-row-title">{titleOf(session)}</span>
      <time
        className="session-row-time"
        dateTime={new Date(session.updatedAt).toISOString()}
        title={moment(session.updatedAt)}
      >
        {ago(session.updatedAt, now)}
      </time>
      <span className="session-row-facts">
        <BackendBadge backend={session.backend} remote={session.sandbox !== null} />
        {session.sandbox !== null &&
        session.status !== "needs_you" &&
        isWorthSaying(session.sandbox, session.lifecycle) ? (
          <SandboxBadge condition={session.sandbox} lifecycle={session.lifecycle} reason={session.reason} />
        ) : (
          <span className="session-row-status">{statusWord(session.status)}</span>
        )}
        {session.workspace === null ? null : (
          <span className="session-row-place" title={session.workspace}>
            {workspaceName(session.workspace)}
          </span>
        )}
      </span>
    </a>
  ),
  (before, after) =>
    before.session === after.session &&
    before.selected === after.selected &&
    ago(before.session.updatedAt, before.now) === ago(after.session.updatedAt, after.now)
)
