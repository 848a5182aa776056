/** A new session: what it runs on, where, and with what it begins. */
import { ClientError } from "@holdfast/client"
import type { BackendAnswer } from "@holdfast/core"
import { LoaderCircle } from "lucide-react"
import { type FormEvent, useEffect, useRef, useState } from "react"
import { useHost } from "../Host.ts"
import { backendName, BackendIcon } from "../sidebar/BackendBadge.tsx"
import { Dialog } from "./Dialog.tsx"
import { Field, Options, Problem } from "./Field.tsx"
import { fieldOf, type NewSessionFields, specOf } from "./specOf.ts"

const lastKey = "holdfast.new-session"

/** What was chosen the last time: the same person mostly works in the same place. */
const lastChosen = (): Pick<NewSessionFields, "backend" | "workspace"> => {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(lastKey) ?? "{}")
    const { backend, workspace } = kept as { readonly [name: string]: unknown }
    return {
      backend: typeof backend === "string" ? backend : "",
      workspace: typeof workspace === "string" ? workspace : ""
    }
  } catch {
    return { backend: "", workspace: "" }
  }
}

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
        setFields((before) =>
          found.some(({ name }) => name === before.backend) ? before : { ...before, backend: found[0]?.name ?? "" }
        )
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

  const chosen = backends?.find(({ name }) => name === fields.backend)
  const isTerminal = chosen?.capabilities.terminal === true
  const set = (name: keyof NewSessionFields) => (value: string) => {
    setFields((before) => ({ ...before, [name]: value }))
    if (mistake?.field === name) setMistake(null)
  }

  const submit = async (event: FormEvent) => {
    event.preventDefault()
    if (chosen === undefined || busy) return
    setBusy(true)
    setMistake(null)
    try {
      const title = fields.title.trim()
      const session = await client.create({
        backend: chosen.name,
        spec: specOf(fields, isTerminal),
        ...(title === "" ? {} : { title })
      })
      localStorage.setItem(lastKey, JSON.stringify({ backend: fields.backend, workspace: fields.workspace.trim() }))
      onCreated(session.sessionId)
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
      <form ref={form} onSubmit={(event) => void submit(event)}>
        <div className="dialog-body">
          <fieldset className="backends">
            <legend className="sr-only">What it runs on</legend>
            {backends === null ? <p className="hint">Asking what there is…</p> : null}
            {backends?.map(({ capabilities, name }) => (
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

          <Field
            label="Workspace"
            hint="A directory on the server's machine; its own where this is empty"
            problem={problemOf("workspace")}
          >
            {(props) => (
              <>
                <input
                  {...props}
                  className="input mono"
                  list="workspaces"
                  placeholder="/home/you/project"
                  spellCheck={false}
                  value={fields.workspace}
                  onChange={({ target }) => set("workspace")(target.value)}
                />
                <Options id="workspaces" values={workspaces} />
              </>
            )}
          </Field>

          <div className="field-row">
            {isTerminal ? null : (
              <Field label="Model" hint="The agent's own choice where this is empty" problem={problemOf("model")}>
                {(props) => (
                  <>
                    <input
                      {...props}
                      className="input mono"
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
