/** Who may do what, as the server will see it: asked before something is offered. */
import { type CommandType, commandRoles, type Identity, roleCovers, type SessionState } from "@holdfast/core"

/** Whether somebody may send a command: their token allows it, and so does their part in the session, once they have one. */
export const mayDo = (you: Identity | null, state: SessionState | null, command: CommandType): boolean => {
  if (you === null) return false
  const needed = commandRoles[command]
  const part = state?.participants[you.participantId]
  return roleCovers(you.role, needed) && (part === undefined || roleCovers(part.role, needed))
}
