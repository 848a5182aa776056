/**
 * The state of a session: everything that deciding needs, folded from its events, plain JSON and bounded. Texts of
 * items are not in it (the log has them; see the timeline view).
 */
import type { Capabilities } from "./Capabilities.ts"
import type {
  Artifact,
  ContentBlock,
  PermissionOption,
  PermissionOutcome,
  QuestionOutcome,
  Role,
  Usage
} from "./Content.ts"
import type { Actor, SessionId } from "./Ids.ts"
import { type ChartValue, initialChart } from "./SessionChart.ts"
import type { DataOf, Delivery, ItemKind } from "./SessionEvent.ts"
import { type SessionStatus, statusOf } from "./SessionStatus.ts"

/** Raise when a fold would give another state for the same events: checkpoints of another version are discarded. */
export const stateVersion = 7

/** Bounds of a session's state; beyond them commands are rejected as `busy` and backend events noted and left out. */
export const stateBounds = {
  /** Prompts that wait. */
  prompts: 100,
  /** Items that are open at once. */
  items: 1_000,
  /** Permissions and questions that are open at once. */
  requests: 64,
  participants: 1_000,
  artifacts: 1_000,
  processes: 100,
  /** Decisions that a backend may have missed when its runtime ended; older ones count as taken. */
  decided: 64
} as const

/** A prompt that has not been delivered. */
export interface WaitingPrompt {
  readonly promptId: string
  readonly content: ReadonlyArray<ContentBlock>
  readonly delivery: Delivery
  readonly turnId: string | null
  readonly actor: Actor | null
  /** On its way to the backend since this time; null while it waits. */
  readonly dispatchedAt: number | null
  /** How often the backend returned it. */
  readonly returned: number
  /** It waits, and yet it may have arrived before the session ended. */
  readonly inDoubt: boolean
}

/** A permission or question that waits. */
export interface WaitingRequest {
  readonly requestId: string
  readonly kind: "permission" | "question"
  readonly deadline: number
  readonly owner: string | null
  readonly turnId: string | null
  readonly options: ReadonlyArray<PermissionOption>
  /** Ids of questions whose answers must not be logged. */
  readonly secret: ReadonlyArray<string>
  readonly default: PermissionOutcome | QuestionOutcome
}

/** An item that has started and not completed. */
export interface OpenItem {
  readonly kind: ItemKind
  readonly startedSeq: number
  readonly turnId: string | null
  readonly tool: { readonly name: string; readonly kind: string } | null
}

/** A process that was spawned for the session and has not been seen to exit. */
export interface LiveProcess {
  readonly pid: number
  readonly startTime: string
  readonly host: string
  readonly generation: number
  /** What it has as `HOLDFAST_PROCESS`, where that is not the session's own. */
  readonly marker: string | null
  /** It serves other sessions as well. */
  readonly shared: boolean
}

/** Somebody who takes part. */
export interface Participant {
  readonly name: string
  readonly role: Role
  readonly present: boolean
}

/** The sandbox that the session runs in, or ran in last. */
export interface SandboxState {
  readonly provider: string
  /** The provider's name for it; null before it is made and once it is gone. */
  readonly sandboxId: string | null
  readonly snapshotId: string | null
  readonly tokenHash: string | null
  /** The generation for which it was made. */
  readonly generation: number
}

/** The terminal, as far as deciding needs it. */
export interface TerminalState {
  readonly cols: number
  readonly rows: number
  /** Output bytes so far. */
  readonly offset: number
  readonly title: string | null
  /** From shell integration; null where the shell says nothing. */
  readonly commandRunning: boolean | null
  readonly snapshot: { readonly seq: number; readonly through: number; readonly offset: number } | null
}

/** The state. Every `…At` is in milliseconds since 1970. */
export interface SessionState {
  readonly sessionId: SessionId
  /** The last event that is folded in; 0 before `session.created`. */
  readonly seq: number
  readonly at: number
  readonly generation: number
  readonly chart: ChartValue
  readonly backend: string
  readonly spec: unknown
  readonly title: string
  /** The title was given by the host or somebody who takes part: the agent's own does not take its place. */
  readonly titleGiven: boolean
  readonly archived: boolean
  readonly forkedFrom: { readonly sessionId: string; readonly seq: number } | null
  /** Of the current or last opening; null before the first. */
  readonly capabilities: Capabilities | null
  readonly nativeId: string | null
  /** Openings in a row that did not lead to a completed turn or a minute of life. */
  readonly attempts: number
  /** When the lifecycle or turn region last changed: deadlines count from here. */
  readonly lifecycleAt: number
  readonly turnAt: number
  /** How long a close may take before force, while closing. */
  readonly graceMs: number
  /** How it ended or was lost last, and whether opening it again could help. */
  readonly end: {
    readonly reason: string
    readonly exitCode: number | null
    readonly signal: string | null
    readonly retryable: boolean
  } | null
  readonly prompts: ReadonlyArray<WaitingPrompt>
  readonly turn: { readonly turnId: string; readonly promptId: string | null } | null
  readonly lastTurnId: string | null
  /** A delivered prompt whose turn has not started: no other prompt goes before. */
  readonly awaitedTurn: { readonly promptId: string; readonly turnId: string | null; readonly since: number } | null
  readonly items: { readonly [itemId: string]: OpenItem }
  readonly requests: { readonly [requestId: string]: WaitingRequest }
  readonly participants: { readonly [participantId: string]: Participant }
  readonly artifacts: { readonly [artifactId: string]: Artifact }
  readonly processes: ReadonlyArray<LiveProcess>
  readonly sandbox: SandboxState | null
  /** The folder of this machine that it worked in last before it was moved elsewhere, and a digest of what it left there. */
  readonly left: { readonly workspace: string; readonly fingerprint: string } | null
  /** The last {@link NewEvent.origin} that was stored: everything up to it was copied. */
  readonly mirrored: number
  /** The newest decisions (their seq) of this generation that its backend is to perform: at most 64. */
  readonly decided: ReadonlyArray<number>
  readonly terminal: TerminalState | null
  /** Who typed last, and when that was logged. */
  readonly typed: { readonly actor: Actor; readonly at: number } | null
  /** What is chosen, as the backend confirmed it last; null where it did not say. */
  readonly model: string | null
  readonly effort: string | null
  readonly mode: string | null
  /** What can be chosen, as the agent told it last; null before it did. */
  readonly offer: DataOf<"agent.offered"> | null
  readonly usage: Usage
}

/** The state before the first event. */
export const emptyState = (sessionId: SessionId): SessionState => ({
  sessionId,
  seq: 0,
  at: 0,
  generation: 0,
  chart: initialChart,
  backend: "",
  spec: null,
  title: "",
  titleGiven: false,
  archived: false,
  forkedFrom: null,
  capabilities: null,
  nativeId: null,
  attempts: 0,
  lifecycleAt: 0,
  turnAt: 0,
  graceMs: 0,
  end: null,
  prompts: [],
  turn: null,
  lastTurnId: null,
  awaitedTurn: null,
  items: {},
  requests: {},
  participants: {},
  artifacts: {},
  processes: [],
  sandbox: null,
  left: null,
  mirrored: 0,
  decided: [],
  terminal: null,
  typed: null,
  model: null,
  effort: null,
  mode: null,
  offer: null,
  usage: {}
})

/** The status that a person sees. */
export const sessionStatus = (state: SessionState): SessionStatus =>
  statusOf({
    lifecycle: state.chart.lifecycle,
    busy: state.turn !== null || state.terminal?.commandRunning === true,
    openRequests: Object.keys(state.requests).length,
    linked: state.chart.link === "connected",
    exitCode: state.end?.exitCode ?? null,
    signal: state.end?.signal ?? null
  })
