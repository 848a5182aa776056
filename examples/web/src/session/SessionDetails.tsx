/** What is known of a session, beside it. */
import type { ViewState } from "@holdfast/client"
import type { Artifact, FileChange, Identity, SessionState, SessionSummary, Usage } from "@holdfast/core"
import { ExternalLink, FileDiff, GitPullRequest, Image, Link, Paperclip, X } from "lucide-react"
import type { ReactNode } from "react"
import { BackendBadge } from "../sidebar/BackendBadge.tsx"
import { SandboxBadge } from "../sidebar/SandboxBadge.tsx"
import { SessionStatus } from "../sidebar/SessionStatus.tsx"
import { hueOf } from "../timeline/Phrases.ts"
import { useNow } from "../time/useNow.ts"
import { moment, span } from "../time/words.ts"
import { cloudSpecOf } from "./cloudSpec.ts"
import { sessionLink } from "./sessionLink.ts"

/** Files that are listed; the rest is counted. */
const maxListed = 100

const Section = ({ children, title }: { readonly title: string; readonly children: ReactNode }) => (
  <section className="details-section">
    <h3>{title}</h3>
    {children}
  </section>
)

const Fact = ({ children, name }: { readonly name: string; readonly children: ReactNode }) => (
  <div className="fact">
    <dt>{name}</dt>
    <dd>{children}</dd>
  </div>
)

const number = new Intl.NumberFormat()
const money = new Intl.NumberFormat(undefined, { style: "currency", currency: "USD", maximumFractionDigits: 4 })

const usageFacts = (usage: Usage): ReadonlyArray<readonly [name: string, value: string]> => {
  const facts: Array<readonly [string, string]> = []
  const add = (name: string, value: number | undefined, format: Intl.NumberFormat = number) => {
    if (value !== undefined && value > 0) facts.push([name, format.format(value)])
  }
  add("Input tokens", usage.inputTokens)
  add("of them cached", usage.cachedInputTokens)
  add("Output tokens", usage.outputTokens)
  add("of them reasoning", usage.reasoningTokens)
  add("Cost", usage.costUsd, money)
  return facts
}

const artifactIcon = { pull_request: GitPullRequest, screenshot: Image, file: Paperclip, url: Link, other: Paperclip }

/** Only what a browser may go to. */
const isWebAddress = (url: string) => /^https?:\/\//i.test(url)

const ArtifactLine = ({ artifact }: { readonly artifact: Artifact }) => {
  const Icon = artifactIcon[artifact.kind] ?? Paperclip
  return (
    <li>
      <Icon aria-hidden="true" />
      {artifact.url !== undefined && isWebAddress(artifact.url) ? (
        <a href={artifact.url} target="_blank" rel="noopener noreferrer">
          {artifact.title}
          <ExternalLink aria-hidden="true" />
        </a>
      ) : (
        <span title={artifact.path}>{artifact.title}</span>
      )}
      {artifact.state === undefined ? null : <span className="badge">{artifact.state}</span>}
    </li>
  )
}

const FileLine = ({ file, workspace }: { readonly file: FileChange; readonly workspace: string | null }) => {
  const shown =
    workspace !== null && file.path.startsWith(`${workspace}/`) ? file.path.slice(workspace.length + 1) : file.path
  return (
    <li title={file.path}>
      <FileDiff aria-hidden="true" />
      <span className="path">{shown}</span>
      <span className="changes">
        {file.additions === undefined ? null : <span className="added">+{file.additions}</span>}
        {file.deletions === undefined ? null : <span className="removed">−{file.deletions}</span>}
        {file.additions === undefined && file.deletions === undefined ? file.change : null}
      </span>
    </li>
  )
}

const endOf = ({ chart, lifecycleAt }: SessionState): number | null =>
  chart.lifecycle === "closed" || chart.lifecycle === "failed" ? lifecycleAt : null

const Facts = ({ state, summary }: { readonly summary: SessionSummary; readonly state: SessionState | null }) => {
  const ended = state === null ? null : endOf(state)
  const cloud = cloudSpecOf(state)
  const now = useNow(ended === null ? 1_000 : null)
  return (
    <dl>
      <Fact name="Status">
        <SessionStatus status={summary.status} />
      </Fact>
      {summary.reason === null ? null : <Fact name="Reason">{summary.reason}</Fact>}
      {summary.exitCode === null ? null : <Fact name="Exit code">{summary.exitCode}</Fact>}
      {summary.signal === null ? null : <Fact name="Signal">{summary.signal}</Fact>}
      <Fact name="Runs on">
        <BackendBadge backend={cloud?.backend ?? summary.backend} remote={cloud !== null || summary.sandbox !== null} />
      </Fact>
      {cloud === null && summary.sandbox === null ? null : (
        <Fact name="Sandbox">
          <SandboxBadge condition={summary.sandbox} lifecycle={summary.lifecycle} provider={cloud?.provider ?? null} />{" "}
          {cloud?.provider}
        </Fact>
      )}
      {state?.sandbox?.sandboxId == null ? null : (
        <Fact name="Sandbox id">
          <code className="session-id">{state.sandbox.sandboxId}</code>
        </Fact>
      )}
      {state?.sandbox?.snapshotId == null ? null : (
        <Fact name="Snapshot">
          <code className="session-id">{state.sandbox.snapshotId}</code>
        </Fact>
      )}
      {summary.model === null ? null : <Fact name="Model">{summary.model}</Fact>}
      {state?.effort == null ? null : <Fact name="Effort">{state.effort}</Fact>}
      {state?.mode == null ? null : <Fact name="Mode">{state.mode}</Fact>}
      {summary.workspace === null ? null : (
        <Fact name="Workspace">
          <code>{summary.workspace}</code>
        </Fact>
      )}
      <Fact name="Began">
        <time dateTime={new Date(summary.createdAt).toISOString()}>{moment(summary.createdAt)}</time>
      </Fact>
      <Fact name="Last event">
        <time dateTime={new Date(summary.updatedAt).toISOString()}>{moment(summary.updatedAt)}</time>
      </Fact>
      <Fact name={ended === null ? "Lasts" : "Lasted"}>{span((ended ?? now) - summary.createdAt)}</Fact>
      {summary.forkedFrom === null ? null : (
        <Fact name="Branch of">
          <a href={sessionLink(summary.forkedFrom.sessionId)}>{summary.forkedFrom.sessionId.slice(-8)}</a> at event{" "}
          {summary.forkedFrom.seq}
        </Fact>
      )}
      <Fact name="Events">{number.format(summary.seq)}</Fact>
      <Fact name="Session">
        <code className="session-id">{summary.sessionId}</code>
      </Fact>
    </dl>
  )
}

export interface SessionDetailsProps {
  readonly view: ViewState
  readonly you: Identity | null
  readonly onClose: () => void
}

export const SessionDetails = ({ onClose, view, you }: SessionDetailsProps) => {
  const { present, state, summary, timeline } = view
  if (summary === null) return null
  const usage = usageFacts(summary.usage)
  const { beyond, changes } = timeline.files
  const artifacts = Object.entries(state?.artifacts ?? {})
  const participants = Object.entries(state?.participants ?? {}).filter(([, { present }]) => present)
  const isHere = (id: string) => present.some(({ participantId }) => participantId === id)
  return (
    <aside className="details" aria-label="Details">
      <header className="details-head">
        <h2>Details</h2>
        <button className="button icon" type="button" aria-label="Close the details" onClick={onClose}>
          <X aria-hidden="true" />
        </button>
      </header>
      <div className="details-body">
        <Facts summary={summary} state={state} />
        {changes.length === 0 ? null : (
          <Section title={`Files changed (${number.format(changes.length + beyond)})`}>
            <ul className="details-list">
              {changes.slice(0, maxListed).map((file) => (
                <FileLine key={file.path} file={file} workspace={summary.workspace} />
              ))}
              {changes.length + beyond > maxListed ? (
                <li>and {number.format(changes.length + beyond - maxListed)} more</li>
              ) : null}
            </ul>
          </Section>
        )}
        {artifacts.length === 0 ? null : (
          <Section title="Artifacts">
            <ul className="details-list">
              {artifacts.map(([id, artifact]) => (
                <ArtifactLine key={id} artifact={artifact} />
              ))}
            </ul>
          </Section>
        )}
        {usage.length === 0 ? null : (
          <Section title="Usage">
            <dl>
              {usage.map(([name, value]) => (
                <Fact key={name} name={name}>
                  {value}
                </Fact>
              ))}
            </dl>
          </Section>
        )}
        <Section title="Participants">
          <ul className="details-list">
            {participants.map(([id, { name, role }]) => (
              <li key={id}>
                <span
                  className="dot"
                  data-here={isHere(id)}
                  style={{ "--hue": hueOf(id) } as Record<string, number>}
                  aria-hidden="true"
                />
                <span>
                  {name}
                  {id === you?.participantId ? " (you)" : ""}
                </span>
                <span className="badge">{role}</span>
                {isHere(id) ? <span className="sr-only">here now</span> : null}
              </li>
            ))}
          </ul>
        </Section>
      </div>
    </aside>
  )
}
