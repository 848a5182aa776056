/** Modes: when Codex asks, and what its commands may touch. */
import type { ApprovalPolicy, OpenedThread } from "./CodexCalls.ts"

/** What commands and patches may touch without being asked for. */
export type Sandbox = "read-only" | "workspace-write" | "danger-full-access"

/** A mode's name: `untrusted/workspace-write`. */
export type CodexMode = `${ApprovalPolicy}/${Sandbox}`

const policies: Readonly<Record<ApprovalPolicy, string>> = {
  untrusted: "Asks before every command and change",
  "on-request": "Asks where the agent wants to leave the sandbox",
  never: "Never asks"
}

const sandboxes: Readonly<Record<Sandbox, { readonly profile: string; readonly says: string }>> = {
  "read-only": { profile: ":read-only", says: "may read everything" },
  "workspace-write": { profile: ":workspace", says: "may write in the session's directory" },
  "danger-full-access": { profile: ":danger-full-access", says: "may do everything" }
}

/** The profile of permissions that stands for a sandbox. */
export const profileOf = (sandbox: Sandbox): string => sandboxes[sandbox].profile

/** All modes, as they are offered. */
export const modes: ReadonlyArray<{ readonly id: CodexMode; readonly name: string }> = (
  Object.keys(policies) as Array<ApprovalPolicy>
).flatMap((policy) =>
  (Object.keys(sandboxes) as Array<Sandbox>).map((sandbox) => ({
    id: `${policy}/${sandbox}` as const,
    name: `${policies[policy]}; ${sandboxes[sandbox].says}`
  }))
)

/** What a mode is in the protocol; undefined where there is none of this name. */
export const settingsOf = (
  mode: string
): { readonly approvalPolicy: ApprovalPolicy; readonly permissions: string } | undefined => {
  const [policy, sandbox] = mode.split("/") as [ApprovalPolicy, Sandbox]
  return modes.some(({ id }) => id === mode)
    ? { approvalPolicy: policy, permissions: sandboxes[sandbox].profile }
    : undefined
}

/** The mode that a thread is in; undefined where it is none of ours, such as a profile of the configuration's own. */
export const modeOf = ({ activePermissionProfile, approvalPolicy }: OpenedThread): CodexMode | undefined =>
  modes.find(({ id }) => {
    const settings = settingsOf(id)!
    return settings.approvalPolicy === approvalPolicy && settings.permissions === activePermissionProfile?.id
  })?.id
