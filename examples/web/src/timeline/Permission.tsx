/** A permission that the agent asks for: what it would do, and a button for each answer that it offers. */
import type { FileDiff, PermissionEntry, PermissionOption } from "@holdfast/core"
import { ShieldQuestionMark } from "lucide-react"
import { Diff } from "./Diff.tsx"
import { Output } from "./Output.tsx"
import { dateText } from "./Phrases.ts"
import { Deadline, Ended, endedBy, Owner, Problem } from "./Request.tsx"
import { mayAct, useAction, useScope } from "./SessionScope.ts"

const isObject = (value: unknown): value is { readonly [key: string]: unknown } =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Changes within a tool's input, where it has them in our own words. */
const changesOf = (input: unknown): ReadonlyArray<FileDiff> => {
  const changes = isObject(input) ? input["changes"] : undefined
  if (!Array.isArray(changes)) return []
  return changes.filter(
    (one): one is FileDiff =>
      isObject(one) &&
      typeof one["path"] === "string" &&
      typeof one["diff"] === "string" &&
      ["created", "modified", "deleted", "moved"].includes(String(one["change"]))
  )
}

/** A tool's input as text, where the title does not say it. */
const inputText = (input: unknown, title: string): string => {
  if (input === undefined || input === null) return ""
  if (typeof input === "string") return title.includes(input) ? "" : input
  if (isObject(input) && typeof input["command"] === "string") {
    return title.includes(input["command"]) ? "" : input["command"]
  }
  const text = JSON.stringify(input, null, 2)
  return text === "{}" || text === "[]" ? "" : text
}

/** What would be done. */
const Asked = ({ entry }: { readonly entry: PermissionEntry }) => {
  const changes = changesOf(entry.tool?.input)
  const input = changes.length > 0 ? "" : inputText(entry.tool?.input, entry.title)
  return (
    <>
      {entry.description !== null && entry.description !== "" && <p className="tl-plain">{entry.description}</p>}
      {changes.map((file, index) => (
        <Diff key={index} file={file} keep={`permission:${entry.seq}:${index}`} />
      ))}
      {input !== "" && <Output keep={`permission:${entry.seq}`} text={input} label="What it would do" />}
      {entry.cut?.["input"] !== undefined && <p className="tl-cut">What it would do is too long to be shown here.</p>}
    </>
  )
}

const tones: { readonly [K in PermissionOption["kind"]]: string } = {
  allow_once: "button primary",
  allow_always: "button",
  reject_once: "button",
  reject_always: "button"
}

const verbs: { readonly [K in PermissionOption["kind"]]: string } = {
  allow_once: "Allowed",
  allow_always: "Allowed for good",
  reject_once: "Declined",
  reject_always: "Declined for good"
}

/** UTF-16 units of a title that one line has room for: commands may be whole scripts. */
const shortTitle = 240

const shortened = (title: string): string => (title.length > shortTitle ? `${title.slice(0, shortTitle)}…` : title)

/** A permission: open, or how it ended. */
export const Permission = ({ entry }: { readonly entry: PermissionEntry }) => {
  const scope = useScope()
  const { isPending, problem, run } = useAction()
  if (entry.by !== null) {
    const { outcome } = entry
    const option =
      outcome?.outcome === "selected" ? entry.options.find(({ optionId }) => optionId === outcome.optionId) : undefined
    const isGood = option?.kind.startsWith("allow") === true
    const what = option === undefined ? "Not answered" : verbs[option.kind]
    return (
      <Ended isGood={isGood} label="A permission that has ended">
        <strong>{what}</strong> {endedBy(scope, entry)}: <span className="tl-ended-what">{shortened(entry.title)}</span>
        {option !== undefined && option.kind.endsWith("always") && <span className="tl-faint"> ({option.name})</span>}
      </Ended>
    )
  }
  return (
    <section className="tl-card tl-request" aria-label={`Permission: ${entry.title}`}>
      <div className="tl-card-head">
        <ShieldQuestionMark className="tl-icon" aria-hidden="true" />
        <strong>May I?</strong>
        <Owner owner={entry.owner} />
        {!scope.readOnly && (
          <span title={dateText(entry.deadline)}>
            <Deadline at={entry.deadline} />
          </span>
        )}
      </div>
      <p className="tl-request-title">{entry.title}</p>
      <Asked entry={entry} />
      {mayAct(scope) ? (
        <div className="tl-buttons" role="group" aria-label="Your answer">
          {entry.options.map((option) => (
            <button
              key={option.optionId}
              type="button"
              className={tones[option.kind]}
              disabled={isPending}
              onClick={() =>
                run(() => scope.session.resolve(entry.requestId, { outcome: "selected", optionId: option.optionId }))
              }
            >
              {option.name}
            </button>
          ))}
        </div>
      ) : (
        !scope.readOnly && <p className="tl-faint">You may look on; a member answers.</p>
      )}
      <Problem text={problem} />
    </section>
  )
}
