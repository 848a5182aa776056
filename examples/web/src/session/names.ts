/** What things of a session are called. */
import type { SessionSummary } from "@holdfast/core"

/** A session's title; one without is called after its backend's word for nothing. */
export const titleOf = ({ title }: Pick<SessionSummary, "title">): string => (title === "" ? "Untitled session" : title)

/** The last name of a directory's path. */
export const workspaceName = (path: string): string => path.split(/[/\\]/).findLast((name) => name !== "") ?? path
