/** What a timeline shows: one entry for each thing that happened, plain JSON, in the order in which they began. */
import type {
  Artifact,
  ContentBlock,
  Location,
  PermissionOption,
  PermissionOutcome,
  PlanEntry,
  Question,
  QuestionOutcome,
  ReportedError,
  ResolvedBy,
  ToolCall,
  ToolKind,
  ToolStatus,
  Usage
} from "./Content.ts"
import type { Actor } from "./Ids.ts"
import type { DataOf, Delivery, TurnOutcome } from "./SessionEvent.ts"

/** What every entry has. */
export interface TimelineEntryBase {
  /** The event that began it: unique within the timeline, and so a key for lists. */
  readonly seq: number
  /** When it began, in milliseconds since 1970. */
  readonly at: number
  /** Full length, in UTF-16 units, of each part that is shown cut. The log has all of it. */
  readonly cut?: { readonly [part: string]: number }
}

/** How far an item is; `interrupted` ones have what was known of them when they were cut off. */
export type ItemProgress = "streaming" | "completed" | "failed" | "interrupted"

/** What the entries of an agent's items have in common. */
export interface ItemEntryBase extends TimelineEntryBase {
  readonly itemId: string
  readonly turnId: string | null
  /** The item under which it happened: a subagent's tool call. */
  readonly parentId: string | null
  readonly progress: ItemProgress
  readonly error?: ReportedError
}

/** A message of the agent, or of a user as the agent repeats it. */
export interface MessageEntry extends ItemEntryBase {
  readonly type: "message"
  readonly role: "user" | "agent"
  /** Who wrote it, where somebody of the session did. */
  readonly author: Actor | null
  readonly text: string
  readonly content?: ReadonlyArray<ContentBlock>
}

/** What the agent thought. */
export interface ReasoningEntry extends ItemEntryBase {
  readonly type: "reasoning"
  readonly text: string
}

/** A file that a tool call or a turn changed. */
export interface FileChange {
  readonly path: string
  readonly change: DataOf<"file.changed">["change"]
  readonly from?: string
  readonly additions?: number
  readonly deletions?: number
}

/** A file change with its diff. */
export interface FileDiff extends FileChange {
  readonly diff?: string
}

/** A tool call. */
export interface ToolEntry extends ItemEntryBase {
  readonly type: "tool"
  readonly name: string
  readonly title: string | null
  readonly kind: ToolKind
  readonly status: ToolStatus
  /** The agent's own JSON, once it is whole. */
  readonly input?: unknown
  /** The input as it streams. */
  readonly inputText?: string
  readonly text: string
  readonly output: string
  readonly content?: ReadonlyArray<ContentBlock>
  readonly locations: ReadonlyArray<Location>
  readonly files: ReadonlyArray<FileDiff>
  readonly exitCode: number | null
}

/** The agent's plan, as it was last told. */
export interface PlanItemEntry extends ItemEntryBase {
  readonly type: "plan"
  readonly text: string
  readonly entries: ReadonlyArray<PlanEntry>
}

/** A prompt, from the queue to its delivery. Agents often repeat it as a message of the role `user`. */
export interface PromptEntry extends TimelineEntryBase {
  readonly type: "prompt"
  readonly promptId: string
  readonly author: Actor | null
  readonly content: ReadonlyArray<ContentBlock>
  readonly delivery: Delivery
  readonly status: "queued" | "dispatched" | "delivered" | "withdrawn"
  /** The turn that it went into, where that is known. */
  readonly turnId: string | null
  /** How often the backend returned it, and why it did last. */
  readonly returned: number
  readonly error?: ReportedError
  readonly reason?: string
}

/** What permissions and questions have in common. */
export interface RequestEntryBase extends TimelineEntryBase {
  readonly requestId: string
  readonly turnId: string | null
  readonly itemId: string | null
  readonly owner: string | null
  readonly deadline: number
  /** How it ended: null while it waits. */
  readonly by: ResolvedBy | null
  /** Who answered, where somebody did. */
  readonly resolvedBy: Actor | null
}

/** A permission that the agent asked for. */
export interface PermissionEntry extends RequestEntryBase {
  readonly type: "permission"
  readonly title: string
  readonly description: string | null
  /** What it is asked for, with the input that it would be done with: commands, diffs. */
  readonly tool?: ToolCall
  readonly options: ReadonlyArray<PermissionOption>
  readonly outcome: PermissionOutcome | null
}

/** Questions that the agent asked together. */
export interface QuestionEntry extends RequestEntryBase {
  readonly type: "question"
  readonly questions: ReadonlyArray<Question>
  /** Answers to secret questions are left out. */
  readonly outcome: QuestionOutcome | null
}

/** A turn, with what it came to. */
export interface TurnEntry extends TimelineEntryBase {
  readonly type: "turn"
  readonly turnId: string
  readonly promptId: string | null
  readonly status: "running" | "interrupting" | TurnOutcome
  /** Set while the agent tries again after an error. */
  readonly retry: { readonly attempt: number; readonly error: ReportedError; readonly nextAt: number | null } | null
  readonly reason: string | null
  readonly error?: ReportedError
  readonly usage: Usage
  readonly files: FileTotals
  /** Milliseconds; null while it runs. */
  readonly duration: number | null
}

/** A command that a shell ran, from shell integration. `seq` and `endSeq` name the screens before and after it. */
export interface CommandEntry extends TimelineEntryBase {
  readonly type: "command"
  readonly status: "running" | "finished" | "interrupted"
  readonly exitCode: number | null
  readonly endSeq: number | null
  readonly duration: number | null
}

/** A file that was changed outside of any tool call that is shown. */
export interface FileEntry extends TimelineEntryBase, FileDiff {
  readonly type: "file"
  readonly turnId: string | null
}

/** Something that the session or a person should know of. */
export interface NoteEntry extends TimelineEntryBase {
  readonly type: "note"
  readonly level: "info" | "warning" | "error"
  readonly message: string
  readonly code: string | null
}

/** The backend came, went or ended. */
export interface LifecycleEntry extends TimelineEntryBase {
  readonly type: "lifecycle"
  /** `moved`: another backend runs it from here on. */
  readonly change: "opened" | "resumed" | "lost" | "suspended" | "closed" | "failed" | "moved"
  readonly generation: number
  readonly reason: string | null
  readonly exitCode: number | null
  readonly signal: string | null
}

/** The sandbox that the session runs in starts, did not answer for a while, or failed. */
export interface SandboxEntry extends TimelineEntryBase {
  readonly type: "sandbox"
  /** How far a start is, or what became of it: `ready` where all went well. A time without an answer stays `stale`. */
  readonly condition: "pending" | "warming" | "syncing" | "ready" | "stale" | "snapshotted" | "stopped" | "failed"
  /** The start goes on from a snapshot, and not from nothing. */
  readonly restored: boolean
  readonly provider: string | null
  /** For people: why, or how far it is. */
  readonly reason: string | null
  /** Milliseconds that the start or the silence took; null while it lasts. */
  readonly duration: number | null
}

/** What the agent knows of the session changed; what is shown of it stays. */
export interface HistoryEntry extends TimelineEntryBase {
  readonly type: "history"
  /** `reverted`: `turnId` and all after it were taken back. `restored`: they are there again. */
  readonly change: "compacted" | "reverted" | "restored"
  readonly turnId: string | null
  readonly summary: string | null
}

/** An artifact, as it was last told. */
export interface ArtifactEntry extends TimelineEntryBase {
  readonly type: "artifact"
  readonly artifactId: string
  readonly artifact: Artifact
}

/** Something that happened to the workspace's history. */
export interface WorkspaceEntry extends TimelineEntryBase {
  readonly type: "workspace"
  readonly change: "branch_created" | "committed" | "pushed"
  readonly branch: string | null
  readonly sha: string | null
  readonly message: string | null
}

/** The entries of an agent's items. */
export type ItemEntry = MessageEntry | ReasoningEntry | ToolEntry | PlanItemEntry

/** One entry of a timeline. */
export type TimelineEntry =
  | ItemEntry
  | PromptEntry
  | PermissionEntry
  | QuestionEntry
  | TurnEntry
  | CommandEntry
  | FileEntry
  | NoteEntry
  | LifecycleEntry
  | SandboxEntry
  | HistoryEntry
  | ArtifactEntry
  | WorkspaceEntry

/** Files that changed, each once with the sum of its changes, in the order in which they changed first. */
export interface FileTotals {
  readonly changes: ReadonlyArray<FileChange>
  /** Changes to further files, past {@link maxFiles}: counted only. */
  readonly beyond: number
}

/** Most files that a turn, or a timeline, names: 1,000. */
export const maxFiles = 1_000
