/** A new session: what it runs on, where, and with what it begins. */
import { ClientError } from "@holdfast/client"
import type { BackendAnswer } from "@holdfast/core"
import { LoaderCircle } from "lucide-react"
import { type FocusEvent, type FormEvent, useEffect, useRef, useState } from "react"
import { useHost } from "../Host.ts"
import { backendName, BackendIcon } from "../sidebar/BackendBadge.tsx"
import { Dialog } from "./Dialog.tsx"
import { Field, Options, Problem } from "./Field.tsx"
import { Place } from "./Place.tsx"
import { askedSession, fieldOf, inSandboxes, type NewSessionFields, startsAhead } from "./specOf.ts"
import { WarmStart } from "./WarmStart.ts"

const lastKey = "holdfast.new-session"

/** What is kept of what was chosen. */
const kept = ["backend", "workspace", "where", "provider", "repository"] as const

/** What was chosen the last time: the same person mostly works in the same place. */
const lastChosen = (): Pick<NewSessionFields, (typeof kept)[number]> => {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(lastKey) ?? "{}")
    const text = (name: string) => {
      const value = (found as { readonly [name: string]: unknown } | null)?.[name]
      return typeof value === "string" ? value : ""
    }
    return {
      backend: text("backend"),
      workspace: text("workspace"),
      where: text("where") === "sandbox" ? "sandbox" : "here",
      provider: text("provider"),
      repository: text("repository")
    }
  } catch {
    return { backend: "", workspace: "", where: "here", provider: "", repository: "" }
  }
}

/** The choice as far as there is such a thing: a backend that the server has, in a place where it runs. */
const fitting = (fields: NewSessionFields, found: ReadonlyArray<BackendAnswer>): NewSessionFields => {
  const places = found.find(({ name }) => name === "cloud")?.places
  const where = places === undefined ? "here" : fields.where
  const possible = found.filter(({ name }) => name !== "cloud" && (where === "here" || inSandboxes.includes(name)))
  return {
    ...fields,
    where,
    backend: possible.some(({ name }) => name === fields.backend) ? fields.backend : (possible[0]?.name ?? ""),
    provider: places?.includes(fields.provider) === true ? fields.provider : (places?.[0] ?? "")
  }
}

/** The field, where it is one that a half-written text makes another sandbox of; null for all others. */
const sandboxFieldOf = (element: EventTarget | null): string | null =>
  element instanceof HTMLInputElement && settling.has(element.name) ? element.name : null

const settling: ReadonlySet<string> = new Set<keyof NewSessionFields>(["repository", "base", "model"])

interface Mistake {
  readonly field: keyof NewSessionFields | undefined
  readonly words: string
}

export interface NewSessionProps {
  /** Directories of other sessions, to choose from. */
  readonly workspaces: ReadonlyArray<string>
  readonly models: ReadonlyArray<string>
  readonly onCreated: (sessionId: string) => void
  readonly onClose: () => void
}

export const NewSession = ({ models, onClose, onCreated, workspaces }: NewSessionProps) => {
  const { client, report } = useHost()
  const [backends, setBackends] = useState<ReadonlyArray<BackendAnswer> | null>(null)
  const [fields, setFields] = useState<NewSessionFields>(() => ({
    ...lastChosen(),
    model: "",
    base: "",
    prompt: "",
    command: "",
    title: ""
  }))
  const [mistake, setMistake] = useState<Mistake | null>(null)
  const [busy, setBusy] = useState(false)

  useEffect(() => {
    const left = new AbortController()
    const ask = async () => {
      try {
        const found = await client.backends({ signal: left.signal })
        setBackends(found)
        setFields((before) => fitting(before, found))
      } catch (error) {
        if (!left.signal.aborted) {
          setMistake({ field: "backend", words: error instanceof Error ? error.message : String(error) })
        }
      }
    }
    void ask()
    return () => left.abort()
  }, [client])

  const form = useRef<HTMLFormElement>(null)
  const isReady = backends !== null
  useEffect(() => {
    if (isReady) form.current?.querySelector<HTMLElement>(".input")?.focus()
  }, [isReady])

  const sandboxes = backends?.find(({ name }) => name === "cloud")?.places ?? null
  const local = backends?.filter(({ name }) => name !== "cloud") ?? null
  const offered = fields.where === "sandbox" ? local?.filter(({ name }) => inSandboxes.includes(name)) : local
  const chosen = offered?.find(({ name }) => name === fields.backend)
  const isTerminal = chosen?.capabilities.terminal === true
  const set = (name: keyof NewSessionFields) => (value: string) => {
    setFields((before) => fitting({ ...before, [name]: value }, backends ?? []))
    if (name === "repository") setPicked(true)
    if (mistake?.field === name) setMistake(null)
  }

  const [warmStart] = useState(() => new WarmStart(client, (error) => report("Ending what was started ahead", error)))
  useEffect(() => () => warmStart.leave(), [warmStart])
  /** The name of the field that is being filled in, where what is in it says what the sandbox is to be. */
  const [filling, setFilling] = useState<string | null>(null)
  const [picked, setPicked] = useState(false)
  useEffect(() => {
    const isSettled = chosen !== undefined && !busy && filling === null
    const isWorthIt = isSettled && !isTerminal && startsAhead(fields, picked)
    warmStart.want(isWorthIt ? askedSession(fields, isTerminal) : null)
  }, [busy, chosen, fields, filling, isTerminal, picked, warmStart])

  const submit = async (event: FormEvent) => {
    event.preventDefault()
    if (chosen === undefined || busy) return
    setBusy(true)
    setMistake(null)
    try {
      const title = fields.title.trim()
      const asked = askedSession(fields, isTerminal)
      const ahead = await warmStart.take(asked)
      const session =
        ahead ??
        (await client.create({
          ...asked,
          ...(fields.where === "here" || isTerminal || startsAhead(fields, picked) ? {} : { open: false }),
          ...(title === "" ? {} : { title })
        }))
      localStorage.setItem(lastKey, JSON.stringify(Object.fromEntries(kept.map((name) => [name, fields[name].trim()]))))
      onCreated(session.sessionId)
      if (ahead !== undefined && title !== "") {
        session.rename(title).catch((error: unknown) => report("Naming the session", error))
      }
      const prompt = fields.prompt.trim()
      if (!isTerminal && prompt !== "") {
        session.prompt(prompt).catch((error: unknown) => report("Sending the first prompt", error))
      }
    } catch (error) {
      const field = error instanceof ClientError ? fieldOf(error.problem.field ?? "") : undefined
      setMistake({ field, words: error instanceof Error ? error.message : String(error) })
      setBusy(false)
    }
  }

  const problemOf = (name: keyof NewSessionFields) => (mistake?.field === name ? mistake.words : null)

  return (
    <Dialog title="New session" onClose={onClose} wide>
      <form
        ref={form}
        onSubmit={(event) => void submit(event)}
        onFocus={({ target }) => setFilling(sandboxFieldOf(target))}
        onBlur={({ relatedTarget }: FocusEvent) => setFilling(sandboxFieldOf(relatedTarget))}
      >
        <div className="dialog-body">
          <fieldset className="backends">
            <legend className="sr-only">What it runs on</legend>
            {backends === null ? <p className="hint">Asking what there is…</p> : null}
            {offered?.map(({ capabilities, name }) => (
              <label key={name} className="backend-card">
                <input
                  type="radio"
                  name="backend"
                  value={name}
                  checked={fields.backend === name}
                  onChange={() => set("backend")(name)}
                />
                <BackendIcon backend={name} />
                <span>
                  <strong>{backendName(name)}</strong>
                  <span className="hint">{capabilities.terminal ? "A shell or a command" : "A coding agent"}</span>
                </span>
              </label>
            ))}
            <Problem words={problemOf("backend")} />
          </fieldset>

          {chosen === undefined ? null : isTerminal ? (
            <Field label="Command" hint="Leave it empty for your shell" problem={problemOf("command")}>
              {(props) => (
                <input
                  {...props}
                  className="input mono"
                  placeholder="npm test"
                  value={fields.command}
                  onChange={({ target }) => set("command")(target.value)}
                />
              )}
            </Field>
          ) : (
            <Field
              label="Prompt"
              hint="What it should do first; you can also write it later"
              problem={problemOf("prompt")}
            >
              {(props) => (
                <textarea
                  {...props}
                  className="input"
                  rows={4}
                  placeholder="Find out why the tests of the parser are slow, and make them quick."
                  value={fields.prompt}
                  onChange={({ target }) => set("prompt")(target.value)}
                  onKeyDown={(event) => {
                    if (event.key === "Enter" && (event.metaKey || event.ctrlKey))
                      event.currentTarget.form?.requestSubmit()
                  }}
                />
              )}
            </Field>
          )}

          <Place fields={fields} set={set} problemOf={problemOf} sandboxes={sandboxes} workspaces={workspaces} />

          <div className="field-row">
            {isTerminal ? null : (
              <Field label="Model" hint="The agent's own choice where this is empty" problem={problemOf("model")}>
                {(props) => (
                  <>
                    <input
                      {...props}
                      className="input mono"
                      name="model"
                      list="models"
                      spellCheck={false}
                      value={fields.model}
                      onChange={({ target }) => set("model")(target.value)}
                    />
                    <Options id="models" values={models} />
                  </>
                )}
              </Field>
            )}
            <Field label="Title" hint="Found by itself where this is empty" problem={problemOf("title")}>
              {(props) => (
                <input
                  {...props}
                  className="input"
                  maxLength={1_000}
                  value={fields.title}
                  onChange={({ target }) => set("title")(target.value)}
                />
              )}
            </Field>
          </div>
          {mistake !== null && mistake.field === undefined ? <Problem words={mistake.words} /> : null}
        </div>
        <footer className="dialog-foot">
          <button className="button" type="button" onClick={onClose}>
            Cancel
          </button>
          <button className="button primary" type="submit" disabled={chosen === undefined || busy}>
            {busy ? <LoaderCircle className="spin" aria-hidden="true" /> : null}
            {busy ? "Opening…" : "Open session"}
          </button>
        </footer>
      </form>
    </Dialog>
  )
}
