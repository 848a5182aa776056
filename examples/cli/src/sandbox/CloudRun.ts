/** What `--cloud` asks for: where a session runs instead of here, as the spec of the backend `cloud`. */

/** Who makes sandboxes here. */
export const cloudProviders = ["process", "docker"] as const
export type CloudProvider = (typeof cloudProviders)[number]

/** Where it runs, and what it begins with. */
export interface CloudRun {
  readonly provider: CloudProvider
  /** A repository that its workspace is cloned from. */
  readonly repository: string | undefined
  /** The branch to begin from; the remote's default unless given. */
  readonly branch: string | undefined
  readonly image: string | undefined
}

/** What runs in a sandbox: a backend of the bridge's, with a spec in its own terms. */
export interface Inner {
  readonly backend: "pty" | "codex" | "opencode"
  readonly spec: { readonly [name: string]: unknown }
}

/** The spec. */
export const cloudSpec = ({ branch, image, provider, repository }: CloudRun, inner: Inner) => ({
  provider,
  inner,
  ...(image === undefined ? {} : { image }),
  ...(repository === undefined ? {} : { workspace: { repository, ...(branch === undefined ? {} : { base: branch }) } })
})
