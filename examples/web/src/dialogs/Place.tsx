/** Where a new session runs: on the server's own machine, or in a sandbox with a repository to begin with. */
import { Cloud, HardDrive } from "lucide-react"
import type { ComponentType } from "react"
import { Field, Options } from "./Field.tsx"
import type { NewSessionFields } from "./specOf.ts"

/** Sandbox providers, in words; another one is called as it calls itself. */
const providers: { readonly [provider: string]: string } = {
  process: "Processes kept apart, on this machine",
  docker: "A container"
}

export interface PlaceProps {
  readonly fields: NewSessionFields
  readonly set: (name: keyof NewSessionFields) => (value: string) => void
  readonly problemOf: (name: keyof NewSessionFields) => string | null
  /** Sandbox providers; null where the server has no sandboxes. */
  readonly sandboxes: ReadonlyArray<string> | null
  /** Directories of other sessions, to choose from. */
  readonly workspaces: ReadonlyArray<string>
}

/** What a kind of sandbox is called. */
export const sandboxKind = (provider: string): string => providers[provider] ?? provider

/** One place to choose. */
export const PlaceChoice = ({
  checked,
  hint,
  Icon,
  name,
  onChoose,
  value,
  words
}: {
  /** Of the group. */
  readonly name: string
  readonly checked: boolean
  readonly value: string
  readonly words: string
  readonly hint: string
  readonly Icon: ComponentType
  readonly onChoose: () => void
}) => (
  <label className="backend-card">
    <input type="radio" name={name} value={value} checked={checked} onChange={onChoose} />
    <Icon />
    <span>
      <strong>{words}</strong>
      <span className="hint">{hint}</span>
    </span>
  </label>
)

export const Place = ({ fields, problemOf, sandboxes, set, workspaces }: PlaceProps) => (
  <>
    {sandboxes === null ? null : (
      <fieldset className="backends">
        <legend className="sr-only">Where it runs</legend>
        <PlaceChoice
          name="where"
          value="here"
          words="This machine"
          hint="The server's own"
          Icon={HardDrive}
          checked={fields.where === "here"}
          onChoose={() => set("where")("here")}
        />
        <PlaceChoice
          name="where"
          value="sandbox"
          words="A sandbox"
          hint="Apart, with a clone"
          Icon={Cloud}
          checked={fields.where === "sandbox"}
          onChoose={() => set("where")("sandbox")}
        />
      </fieldset>
    )}
    {sandboxes === null || fields.where === "here" ? (
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
    ) : (
      <>
        {sandboxes.length < 2 ? null : (
          <Field label="Kind of sandbox" hint="What keeps it apart" problem={problemOf("provider")}>
            {(props) => (
              <select
                {...props}
                className="input"
                value={fields.provider}
                onChange={({ target }) => set("provider")(target.value)}
              >
                {sandboxes.map((name) => (
                  <option key={name} value={name}>
                    {sandboxKind(name)}
                  </option>
                ))}
              </select>
            )}
          </Field>
        )}
        <Field
          label="Repository"
          hint="Its workspace is a clone of it; empty without"
          problem={problemOf("repository")}
        >
          {(props) => (
            <input
              {...props}
              name="repository"
              className="input mono"
              placeholder="https://git.example.org/you/project.git"
              spellCheck={false}
              value={fields.repository}
              onChange={({ target }) => set("repository")(target.value)}
            />
          )}
        </Field>
        {fields.repository.trim() === "" ? null : (
          <Field
            label="Branch to begin from"
            hint="The repository's own where this is empty"
            problem={problemOf("base")}
          >
            {(props) => (
              <input
                {...props}
                name="base"
                className="input mono"
                placeholder="main"
                spellCheck={false}
                value={fields.base}
                onChange={({ target }) => set("base")(target.value)}
              />
            )}
          </Field>
        )}
      </>
    )}
  </>
)
