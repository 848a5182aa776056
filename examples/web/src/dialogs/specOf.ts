/** What a person fills in, as the spec of a backend. */

/** The fields of the dialog. */
export interface NewSessionFields {
  readonly backend: string
  readonly workspace: string
  /** Of an agent. */
  readonly model: string
  /** Of an agent: its first prompt. */
  readonly prompt: string
  /** Of a terminal: a command line; nothing for an interactive shell. */
  readonly command: string
  readonly title: string
}

/** The spec for a backend with a terminal, or for an agent: those of ours take the same names. */
export const specOf = (fields: NewSessionFields, hasTerminal: boolean): { readonly [name: string]: unknown } => {
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
