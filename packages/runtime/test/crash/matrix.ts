/** What both sides of the crash matrix share: the killed process and the one that looks at what it left. */
import { createHash } from "node:crypto"
import { type Backend, encodeRecord, type EventRecord, type Receipt, type SessionId } from "@holdfast/core"
import { scriptedAgent, scriptedBackend } from "@holdfast/testkit"

/** A line that the victim says. */
export type Line =
  | { readonly kind: "ready" }
  | { readonly kind: "receipt"; readonly receipt: Receipt }
  | { readonly kind: "seen"; readonly sessionId: SessionId; readonly seq: number; readonly digest: string }

/** Ends each line that the victim says: what the kill has cut does not end so. */
export const endOfLine = "\u0003"

/** An agent that can resume and answers prompts at once. */
export const agentBackend = (): Backend =>
  scriptedBackend({
    name: "agent",
    capabilities: { prompts: true, interrupt: true, resume: true },
    openings: (request) => ({ nativeId: request.nativeId ?? `native-${request.sessionId}`, answer: scriptedAgent() })
  })

/** Ignores what a dying terminal sends, and has a child that has left its process group. */
export const stubborn = `trap '' HUP TERM; setsid sleep 1000 & while :; do echo tick; sleep 0.05; done`

/** One event in a few characters. */
export const digest = (event: EventRecord): string =>
  createHash("sha256").update(encodeRecord(event)).digest("base64url").slice(0, 16)

/** A small seeded generator (mulberry32): the seed alone makes a run of the victim. */
export const randomFrom = (seed: number) => {
  let state = seed | 0
  return (): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
