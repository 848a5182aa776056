/** What came of the work: pull requests, files, pictures, addresses. */
import type { Artifact } from "@holdfast/core"
import {
  ExternalLink,
  FileText,
  GitMerge,
  GitPullRequest,
  GitPullRequestClosed,
  GitPullRequestDraft,
  Image as ImageIcon,
  Link,
  type LucideIcon,
  Package
} from "lucide-react"

const icons: { readonly [K in Artifact["kind"]]: LucideIcon } = {
  pull_request: GitPullRequest,
  screenshot: ImageIcon,
  file: FileText,
  url: Link,
  other: Package
}

const states: { readonly [S in NonNullable<Artifact["state"]>]: readonly [LucideIcon, string, string] } = {
  open: [GitPullRequest, "Open", "tl-state-open"],
  draft: [GitPullRequestDraft, "Draft", ""],
  merged: [GitMerge, "Merged", "tl-state-merged"],
  closed: [GitPullRequestClosed, "Closed", "tl-state-closed"]
}

const isWeb = (url: string): boolean => /^https?:\/\//i.test(url)

/** One artifact, with its state and a link where it has them. */
export const ArtifactCard = ({ artifact }: { readonly artifact: Artifact }) => {
  const state = artifact.state === undefined ? undefined : states[artifact.state]
  const Icon = (artifact.kind === "pull_request" ? state?.[0] : undefined) ?? icons[artifact.kind]
  const inner = (
    <>
      <Icon className={`tl-icon ${state?.[2] ?? ""}`} aria-hidden="true" />
      <span className="tl-artifact-title">{artifact.title}</span>
      {state !== undefined && <span className={`badge ${state[2]}`}>{state[1]}</span>}
      {artifact.path !== undefined && <span className="tl-faint tl-mono">{artifact.path}</span>}
    </>
  )
  return artifact.url !== undefined && isWeb(artifact.url) ? (
    <a className="tl-artifact" href={artifact.url} target="_blank" rel="noopener noreferrer">
      {inner}
      <ExternalLink className="tl-mark tl-faint" aria-hidden="true" />
    </a>
  ) : (
    <div className="tl-artifact" title={artifact.url}>
      {inner}
    </div>
  )
}
