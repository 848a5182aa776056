/** A session's sandbox in the timeline: how it starts, did not answer, or failed. */
import type { SandboxEntry } from "@holdfast/core"
import { Cloud, CloudAlert, CloudOff, LoaderCircle } from "lucide-react"
import { Divider } from "./Lines.tsx"
import { durationText } from "./Phrases.ts"

const wordsOf = ({ condition, duration, provider, restored }: SandboxEntry): string => {
  const where = provider === null || provider === "" ? "sandbox" : `${provider} sandbox`
  const took = duration === null || duration === 0 ? "" : ` after ${durationText(duration)}`
  switch (condition) {
    case "pending":
      return `Asking for a ${where}`
    case "warming":
      return `${restored ? "Waking" : "Starting"} a ${where}`
    case "syncing":
      return "Preparing the workspace"
    case "ready":
      return `The ${where} was ${restored ? "restored" : "ready"}${took}`
    case "stale":
      return duration === null
        ? "The sandbox does not answer"
        : `The sandbox did not answer for ${durationText(duration)}`
    case "failed":
      return `The ${where} failed${took}`
    default:
      return `The ${where} did not start`
  }
}

/** What is said of a sandbox's start, silence or failure. */
export const sandboxText = (entry: SandboxEntry): string =>
  `${wordsOf(entry)}${entry.reason === null || entry.reason === "" ? "" : `: ${entry.reason}`}`

const tones: { readonly [C in SandboxEntry["condition"]]?: string } = {
  failed: "tl-note-error",
  stale: "tl-note-warning"
}

export const SandboxLine = ({ entry }: { readonly entry: SandboxEntry }) => {
  const { at, condition, duration } = entry
  const isStarting = duration === null && condition !== "stale"
  const Icon = isStarting
    ? LoaderCircle
    : condition === "ready"
      ? Cloud
      : condition === "failed" || condition === "stale"
        ? CloudAlert
        : CloudOff
  const tone = tones[condition]
  return (
    <Divider Icon={Icon} at={at} spins={isStarting} {...(tone === undefined ? {} : { tone })}>
      {sandboxText(entry)}
    </Divider>
  )
}
