/** What a person fills in, as the spec of a backend. */

/** The fields of the dialog. */
export interface NewSessionFields {
  readonly backend: string
  readonly where: "here" | "sandbox"
  readonly workspace: string
  /** Who makes the sandbox. */
  readonly provider: string
  /** Of a sandbox: what its workspace is cloned from. */
  readonly repository: string
  /** The branch to begin from. */
  readonly base: string
  /** Of an agent. */
  readonly model: string
  /** Of an agent: its first prompt. */
  readonly prompt: string
  /** Of a terminal: a command line; nothing for an interactive shell. */
  readonly command: string
  readonly title: string
}

/** What a session is made with. */
export interface AskedSession {
  readonly backend: string
  readonly spec: { readonly [name: string]: unknown }
}

/** What runs in sandboxes: the backends of the bridge. */
export const inSandboxes: ReadonlyArray<string> = ["pty", "codex", "opencode"]

/** The backend and its spec for a terminal, or for an agent: those of ours take the same names. */
export const askedSession = (fields: NewSessionFields, hasTerminal: boolean): AskedSession => {
  if (fields.where === "here") return { backend: fields.backend, spec: programOf(fields, hasTerminal) }
  const repository = fields.repository.trim()
  const base = fields.base.trim()
  return {
    backend: "cloud",
    spec: {
      ...(fields.provider === "" ? {} : { provider: fields.provider }),
      inner: { backend: fields.backend, spec: programOf({ ...fields, workspace: "" }, hasTerminal) },
      ...(repository === "" ? {} : { workspace: { repository, ...(base === "" ? {} : { base }) } })
    }
  }
}

/**
 * Whether a sandbox is worth starting before the dialog is through: somebody has picked a repository in it, which takes time to
 * clone, or begun to write the prompt. One that stands there from the last time was not picked.
 */
export const startsAhead = (fields: NewSessionFields, picked: boolean): boolean =>
  fields.where === "sandbox" && ((picked && fields.repository.trim() !== "") || fields.prompt.trim() !== "")

const programOf = (fields: NewSessionFields, hasTerminal: boolean): AskedSession["spec"] => {
  const cwd = fields.workspace.trim()
  const place = cwd === "" ? {} : { cwd }
  if (hasTerminal) {
    const line = fields.command.trim()
    const program = line === "" ? { profile: "shell" } : { profile: "command", command: "sh", args: ["-c", line] }
    return { ...program, ...place }
  }
  const model = fields.model.trim()
  return { ...place, ...(model === "" ? {} : { model }) }
}

/** The field of the dialog that a server's path of a field means; undefined where it is none of them. */
export const fieldOf = (path: string): keyof NewSessionFields | undefined => {
  switch (path.split(".").at(-1)) {
    case "cwd":
    case "workspace":
    case "directory":
      return "workspace"
    case "provider":
      return "provider"
    case "repository":
      return "repository"
    case "base":
    case "branch":
      return "base"
    case "model":
      return "model"
    case "command":
    case "args":
    case "profile":
      return "command"
    case "title":
      return "title"
    case "backend":
      return "backend"
    case "content":
    case "text":
      return "prompt"
    default:
      return undefined
  }
}
