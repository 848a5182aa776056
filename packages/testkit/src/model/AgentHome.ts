/** A home of an agent that has been written. */
export interface AgentHome {
  readonly folder: string
  /** The variables that make an agent use it. */
  readonly environment: Readonly<Record<string, string>>
}

/** The key of a provider that checks none, for agents that want to have one. */
export const modelKey = "scripted"
