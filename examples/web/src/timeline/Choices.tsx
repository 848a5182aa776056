/** Model, effort and mode: what the agent offers, and what is chosen. */
import type { ClientSession } from "@holdfast/client"
import type { SessionState } from "@holdfast/core"
import { ChevronsUpDown, Cpu, Gauge, type LucideIcon, SlidersHorizontal } from "lucide-react"
import { useState } from "react"
import { problemText } from "./SessionScope.ts"

interface Offered {
  readonly id: string
  readonly name?: string
  readonly description?: string
}

const groupOf = ({ id }: Offered): string => (id.includes("/") ? id.slice(0, id.indexOf("/")) : "")

/** Offers by their provider, where there are several: `anthropic/claude…`, `openai/gpt…`. */
const grouped = (offered: ReadonlyArray<Offered>) => {
  const groups = Map.groupBy(offered, groupOf)
  return groups.size > 1 && offered.length > 12 ? [...groups] : [["", offered] as const]
}

const Choice = ({
  Icon,
  chosen,
  isDisabled,
  label,
  offered,
  onChoose
}: {
  readonly Icon: LucideIcon
  readonly label: string
  readonly offered: ReadonlyArray<Offered>
  readonly chosen: string | null
  readonly isDisabled: boolean
  readonly onChoose: (id: string) => void
}) => {
  const [asked, setAsked] = useState<{ readonly id: string; readonly before: string | null } | null>(null)
  // What was asked for is shown until the agent confirms something.
  const shown = asked !== null && asked.before === chosen ? asked.id : (chosen ?? "")
  const all = shown === "" || offered.some(({ id }) => id === shown) ? offered : [{ id: shown }, ...offered]
  const name = all.find(({ id }) => id === shown)
  return (
    <label
      className={`tl-choice tl-choice-${label.toLowerCase()}`}
      title={`${label}: ${name?.description ?? name?.name ?? shown}`}
    >
      <Icon className="tl-icon" aria-hidden="true" />
      <span className="tl-choice-shown" aria-hidden="true">
        {name?.name ?? (shown === "" ? label : shown)}
      </span>
      <ChevronsUpDown className="tl-mark tl-faint" aria-hidden="true" />
      <select
        aria-label={label}
        value={shown}
        disabled={isDisabled}
        onChange={({ target }) => {
          setAsked({ id: target.value, before: chosen })
          onChoose(target.value)
        }}
      >
        {shown === "" && <option value="">{label}</option>}
        {grouped(all).map(([group, members]) => {
          const options = members.map((one) => (
            <option key={one.id} value={one.id}>
              {one.name ?? one.id}
            </option>
          ))
          return group === "" ? (
            options
          ) : (
            <optgroup key={group} label={group}>
              {options}
            </optgroup>
          )
        })}
      </select>
    </label>
  )
}

/** The choices that there are; none where the agent offers nothing. */
export const Choices = ({
  onProblem,
  session,
  state
}: {
  readonly session: ClientSession
  readonly state: SessionState
  readonly onProblem: (problem: string | null) => void
}) => {
  const { effort, mode, model, offer } = state
  if (offer === null || state.capabilities?.configure !== true) return null
  const isDisabled = state.chart.lifecycle !== "open"
  const efforts = offer.models?.find(({ id }) => id === model)?.efforts ?? []
  const choose = (choice: { readonly model?: string; readonly effort?: string; readonly mode?: string }) => {
    onProblem(null)
    session.configure(choice).catch((error: unknown) => onProblem(problemText(error)))
  }
  return (
    <>
      {(offer.models ?? []).length > 0 && (
        <Choice
          Icon={Cpu}
          label="Model"
          offered={offer.models ?? []}
          chosen={model}
          isDisabled={isDisabled}
          onChoose={(id) => choose({ model: id })}
        />
      )}
      {efforts.length > 0 && (
        <Choice
          Icon={Gauge}
          label="Effort"
          offered={efforts.map((id) => ({ id }))}
          chosen={effort}
          isDisabled={isDisabled}
          onChoose={(id) => choose({ effort: id })}
        />
      )}
      {(offer.modes ?? []).length > 0 && (
        <Choice
          Icon={SlidersHorizontal}
          label="Mode"
          offered={offer.modes ?? []}
          chosen={mode}
          isDisabled={isDisabled}
          onChoose={(id) => choose({ mode: id })}
        />
      )}
    </>
  )
}
