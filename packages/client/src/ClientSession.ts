/** One session, as an app uses it. */
import type {
  Artifact,
  ArtifactAnswer,
  ClientCommand,
  ContentBlock,
  Delivery,
  EventsAnswer,
  ExecAnswer,
  Followed,
  PermissionOutcome,
  QuestionOutcome,
  Receipt,
  Role,
  ScopedTokenAnswer,
  ScreenAnswer,
  SessionAnswer,
  SessionId,
  TimelineAnswer,
  WorkspaceAction,
  WorkspaceResult
} from "@holdfast/core"
import type { CallOptions, SendOptions } from "./CallOptions.ts"
import type { ClientTerminal, TerminalSize } from "./ClientTerminal.ts"
import type { SessionFiles } from "./SessionFiles.ts"
import type { SessionView, ViewOptions } from "./SessionView.ts"

/** How a prompt is sent. */
export interface PromptOptions extends SendOptions {
  /** `queue` (the default): after the running turn. `steer`: into it; `turnId` says which turn is meant. */
  readonly delivery?: Delivery
  readonly turnId?: string
}

/** A command to run once in the workspace. */
export interface ExecOptions extends CallOptions {
  readonly args?: ReadonlyArray<string>
  /** `command` is a line for the system's shell. Default false. */
  readonly shell?: boolean
  /** A directory of the workspace, default its root. */
  readonly directory?: string
  /** What it reads from its standard input. */
  readonly input?: string
  /** 1 to 600,000; default 60,000. */
  readonly timeoutMs?: number
}

/** A page of events. */
export interface PageOptions extends CallOptions {
  /** The events after this seq; default 0. */
  readonly after?: number
  /** The last events before this seq instead, oldest first. */
  readonly before?: number
  /** 1 to 10,000; default 512. */
  readonly limit?: number
}

/** A token for this session. */
export interface ShareOptions extends CallOptions {
  readonly role: Role
  /** Whose name its bearer has. */
  readonly name?: string
  readonly expiresInSeconds?: number
}

/** What a session's log can be exported as: an asciicast of the terminal, its events, or the text of its screen. */
export type ExportFormat = "cast" | "jsonl" | "txt"

/**
 * A session. Making one asks nothing of the server; a session that is not there shows at the first use. Commands go over the
 * live connection: while there is none they wait, at most 1,000 of them, and they are sent again with the same id until they
 * are answered. Their receipt means that they were accepted and are stored. They reject with `ClientError`.
 */
export interface ClientSession {
  readonly sessionId: SessionId

  /** Opens a view. Close it when nobody looks any more. */
  readonly view: (options?: ViewOptions) => SessionView
  /** Joins the terminal, and gives it this size where one is given. Close it when nobody looks any more. */
  readonly terminal: (options?: Partial<TerminalSize>) => ClientTerminal
  /**
   * Every event after `after`, exactly as `EventLog.follow` of core gives them: pages, and `caught-up` each time that there
   * are no more. Goes on after a reconnection where it was, without gap or duplicate. Who does not take pages gets none: a
   * window of 256 KiB is under way at most. Ends with `break` or the signal, and after a `removed` gap; throws `ClientError`.
   */
  readonly events: (after: number, options?: CallOptions) => AsyncIterable<Followed>

  /** Any command. */
  readonly command: (command: ClientCommand, options?: SendOptions) => Promise<Receipt>
  /** Sends a prompt. Its id is the receipt's `commandId`. */
  readonly prompt: (content: string | ReadonlyArray<ContentBlock>, options?: PromptOptions) => Promise<Receipt>
  /** Changes a prompt that waits. */
  readonly editPrompt: (
    promptId: string,
    content: string | ReadonlyArray<ContentBlock>,
    options?: SendOptions
  ) => Promise<Receipt>
  readonly withdrawPrompt: (promptId: string, options?: SendOptions & { readonly reason?: string }) => Promise<Receipt>
  /** Stops the running turn; with `turnId` only that one. */
  readonly interrupt: (turnId?: string, options?: SendOptions) => Promise<Receipt>
  /** Answers a permission. The first answer wins: later ones reject with `not_found`. */
  readonly resolve: (requestId: string, outcome: PermissionOutcome, options?: SendOptions) => Promise<Receipt>
  /** Answers questions, likewise. */
  readonly answer: (requestId: string, outcome: QuestionOutcome, options?: SendOptions) => Promise<Receipt>
  readonly configure: (
    choice: { readonly model?: string; readonly effort?: string; readonly mode?: string },
    options?: SendOptions
  ) => Promise<Receipt>
  readonly rename: (title: string, options?: SendOptions) => Promise<Receipt>
  readonly archive: (options?: SendOptions) => Promise<Receipt>
  readonly unarchive: (options?: SendOptions) => Promise<Receipt>
  readonly suspend: (options?: SendOptions & { readonly reason?: string }) => Promise<Receipt>
  /** Opens the backend again after it was suspended, lost, closed or failed. */
  readonly open: (options?: SendOptions) => Promise<Receipt>
  /** Ends the session's backend: politely, then by force; with `force` at once. */
  readonly closeSession: (
    options?: SendOptions & { readonly force?: boolean; readonly reason?: string }
  ) => Promise<Receipt>
  readonly addArtifact: (artifactId: string, artifact: Artifact, options?: SendOptions) => Promise<Receipt>
  readonly updateArtifact: (artifactId: string, artifact: Artifact, options?: SendOptions) => Promise<Receipt>
  /** Makes a branch: a new session whose history is this one's up to `at`, the head unless given. */
  readonly fork: (options?: SendOptions & { readonly at?: number; readonly title?: string }) => Promise<ClientSession>
  /**
   * Moves the session to another backend, or to another folder, once its turn has ended. Takes as long as that, and as bringing its
   * workspace there. `timeoutMs` is for the turn: 600,000 unless given. Its events go on where they were.
   */
  readonly handoff: (
    to: { readonly backend: string; readonly spec: unknown; readonly restart?: boolean },
    options?: SendOptions & { readonly timeoutMs?: number }
  ) => Promise<Receipt>
  /** Deletes the session with its log. It must have ended. */
  readonly remove: (options?: CallOptions) => Promise<void>

  /** Tells the others that this person writes a prompt, or does not any more. Only told while connected. */
  readonly typing: (typing: boolean) => void

  /** The state and summary as they are now. */
  readonly get: (options?: CallOptions) => Promise<SessionAnswer>
  /** A page of events, over HTTP. */
  readonly page: (options?: PageOptions) => Promise<EventsAnswer>
  /** What the terminal showed at a seq; now unless given. */
  readonly screen: (at?: number, options?: CallOptions) => Promise<ScreenAnswer>
  /** The timeline as it was at a seq; now unless given. `limit` is of its newest entries. */
  readonly timelineAt: (at?: number, options?: CallOptions & { readonly limit?: number }) => Promise<TimelineAnswer>
  readonly artifacts: (options?: CallOptions) => Promise<ReadonlyArray<ArtifactAnswer>>
  readonly files: SessionFiles
  /** Runs a command once in the workspace, to its end. */
  readonly exec: (command: string, options?: ExecOptions) => Promise<ExecAnswer>
  /**
   * Does something with the git repository that the session works in, where it does: commit, push, a pull request, or a look at
   * branches, changes and their diff. Takes up to 5 minutes. `done` of the result is `do` of the action.
   */
  readonly workspace: (action: WorkspaceAction, options?: CallOptions) => Promise<WorkspaceResult>
  /** Where the log can be downloaded, by who is signed in by cookie; others send their token with it. */
  readonly exportUrl: (format: ExportFormat) => string
  /** The export itself. */
  readonly export: (format: ExportFormat, options?: CallOptions) => Promise<Response>
  /** Makes a token for this session and a role; only an owner can. */
  readonly share: (options: ShareOptions) => Promise<ScopedTokenAnswer>
  /** Takes a token back: connections that it opened are closed. */
  readonly revoke: (tokenId: string, options?: CallOptions) => Promise<void>
}
