/** Starts a session on a coding agent: what `holdfast run --backend` does. */
import { codexModes } from "@holdfast/adapter-codex"
import type { CommandRejected, PromptId } from "@holdfast/core"
import * as Effect from "effect/Effect"
import { exitCodes, Refused, usage } from "../ExitCode.ts"
import { json as printJson, line } from "../output/Output.ts"
import { ownerGone, reachOwner } from "../owner/OwnerClient.ts"
import { openReader } from "../store/Reader.ts"
import { awaitSandbox } from "../sandbox/AwaitSandbox.ts"
import { type CloudRun, cloudSpec } from "../sandbox/CloudRun.ts"
import { shortId } from "../store/ShortId.ts"
import type { DetachKey } from "../terminal/DetachKey.ts"
import { isInteractive } from "../terminal/LocalTerminal.ts"
import { attachFace } from "./AttachFace.ts"
import { promptText } from "./PromptText.ts"
import { queuePrompt } from "./SendPrompt.ts"
import { showPrompt } from "./ShowPrompt.ts"
import { endAsTurn } from "./WatchPrompt.ts"

/** Which agent, and how. */
export interface AgentRun {
  readonly backend: "codex" | "opencode"
  /** Where it runs instead of here. */
  readonly cloud: CloudRun | undefined
  /** Absolute; of this machine. */
  readonly cwd: string
  readonly title: string | undefined
  readonly model: string | undefined
  readonly effort: string | undefined
  readonly mode: string | undefined
}

/** How to show it. */
export interface AgentRunOptions {
  readonly store: string
  readonly json: boolean
  readonly detach: boolean
  /** Show one turn as text and end the session, also on a terminal. */
  readonly print: boolean
  readonly detachKey: DetachKey
}

/** The agent's own terms: a mode of Codex is its approval policy and its sandbox, one of Opencode is one of its agents. */
const specOf = Effect.fnUntraced(function* ({ backend, cloud, cwd, effort, mode, model }: AgentRun) {
  const [approvalPolicy, sandbox, ...rest] = mode?.split("/") ?? []
  if (backend === "codex" && mode !== undefined && (sandbox === undefined || rest.length > 0)) {
    return yield* usage(`--mode ${mode}: Codex has modes such as ${codexModes.map(({ id }) => id).join(", ")}`)
  }
  const spec = {
    cwd: cloud === undefined ? cwd : undefined,
    model,
    effort,
    ...(backend === "codex" ? { approvalPolicy, sandbox } : { agent: mode })
  }
  return Object.fromEntries(Object.entries(spec).filter((entry): entry is [string, string] => entry[1] !== undefined))
})

/**
 * Starts it. On a terminal it is shown there, to be talked with; else the turn of one prompt is shown as text or JSON, and
 * the session ended, which another prompt wakes again.
 */
export const runAgent = Effect.fnUntraced(
  function* (
    { detach, detachKey, json, print, store }: AgentRunOptions,
    words: ReadonlyArray<string>,
    agent: AgentRun
  ) {
    const isShown = isInteractive() && !json && !detach && !print
    const text = yield* promptText(words)
    if (text === undefined && !isShown && !detach) {
      return yield* usage(`there is nothing to say: holdfast run --backend ${agent.backend} "…"`)
    }
    const client = yield* reachOwner(store)
    const { backend, cloud, title } = agent
    const spec = yield* specOf(agent)
    const { lastSeq, sessionId } = yield* client.Create({
      ...(cloud === undefined ? { backend, spec } : { backend: "cloud", spec: cloudSpec(cloud, { backend, spec }) }),
      ...(title === undefined ? {} : { title })
    })
    const log = yield* openReader(store)
    // An agent that cannot be started has said why before anything could be said to it.
    const sayWhy = (rejected: CommandRejected) =>
      Effect.flatMap(log.summary(sessionId), ({ lifecycle, reason }): Effect.Effect<never, CommandRejected | Refused> =>
        Effect.fail(
          lifecycle === "failed" ? new Refused({ code: exitCodes.failed, detail: reason ?? "it failed" }) : rejected
        )
      )
    const prompt =
      text === undefined
        ? undefined
        : yield* queuePrompt(client, sessionId, text, null).pipe(Effect.catchTag("CommandRejected", sayWhy))
    if (detach) return yield* json ? printJson({ sessionId }) : line(sessionId)
    const id = yield* shortId(log, sessionId)
    if (cloud !== undefined) yield* awaitSandbox(client, { sessionId, id, after: lastSeq, onInterrupt: "end" })
    if (isShown || prompt === undefined) {
      const events = client.Events({ sessionId, after: 0 })
      return yield* attachFace({ client, events }, { sessionId, id, detachKey })
    }
    const promptId = prompt.commandId as string as PromptId
    const end = yield* showPrompt(client, { sessionId, id, json }, promptId, lastSeq)
    if (end.outcome !== "ended") yield* client.Close({ sessionId, force: false })
    yield* endAsTurn(end)
  },
  (effect, { store }) => Effect.scoped(Effect.catchTag(effect, "RpcClientError", () => ownerGone(store)))
)
