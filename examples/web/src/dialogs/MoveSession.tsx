/** Moves a session: where to, what that means, how far it is, and why it did not happen. */
import { ClientError, type ClientSession } from "@holdfast/client"
import { type BackendAnswer, type SessionState, type Timeline, timelineEntries } from "@holdfast/core"
import { CircleCheck, Cloud, HardDrive, LoaderCircle } from "lucide-react"
import { type FormEvent, useEffect, useRef, useState } from "react"
import { useHost } from "../Host.ts"
import { isRestarted, movedTo, type MovePlace, movePlaces } from "../session/movedSpec.ts"
import { Dialog } from "./Dialog.tsx"
import { Field, Problem } from "./Field.tsx"
import { PlaceChoice, sandboxKind } from "./Place.tsx"

export interface MoveSessionProps {
  readonly session: ClientSession
  readonly state: SessionState
  readonly timeline: Timeline
  readonly onClose: () => void
}

/** The place in words: what is chosen, and what is said once it is there. */
const wordsOf = ({ isOwn, place }: MovePlace) => {
  if (place !== "here") return { name: sandboxKind(place), hint: "A sandbox", where: `in a ${place} sandbox` }
  return isOwn
    ? { name: "Another folder", hint: "On this machine", where: "in another folder of this machine" }
    : { name: "This machine", hint: "The server's own", where: "on this machine" }
}

/** How far it is, by what the log tells since it was asked for. */
const progressOf = (state: SessionState, timeline: Timeline, since: number): string => {
  if (state.turn !== null) return "Waiting for the end of the turn…"
  const step = timelineEntries(timeline).findLast(
    (entry) => entry.seq > since && entry.type === "note" && entry.code === "handoff_step"
  )
  if (step?.type !== "note") return "Packing what goes along…"
  const words = step.message.replace(/^moving to [^:]*: /, "")
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}…`
}

type Move =
  | { readonly phase: "asks" }
  | { readonly phase: "moves"; readonly since: number; readonly stop: AbortController }
  | { readonly phase: "moved"; readonly where: string }

interface Mistake {
  readonly isOfFolder: boolean
  readonly words: string
}

/** What went wrong. A server that answers has left everything as it was. */
const mistakeOf = (error: unknown): Mistake => {
  if (!(error instanceof ClientError)) {
    return { isOfFolder: false, words: error instanceof Error ? error.message : String(error) }
  }
  const { field, kind } = error.problem
  const stays = kind === "unavailable" ? "" : ". Nothing has changed: it goes on where it is."
  return { isOfFolder: field?.split(".").at(-1) === "cwd", words: `${error.message.replace(/\.$/, "")}${stays}` }
}

export const MoveSession = ({ onClose, session, state, timeline }: MoveSessionProps) => {
  const { client } = useHost()
  const [backends, setBackends] = useState<ReadonlyArray<BackendAnswer> | null>(null)
  const [chosen, setChosen] = useState<string | null>(null)
  const [folder, setFolder] = useState(state.left?.workspace ?? "")
  const [move, setMove] = useState<Move>({ phase: "asks" })
  const [mistake, setMistake] = useState<Mistake | null>(null)
  const body = useRef<HTMLDivElement>(null)
  const done = useRef<HTMLButtonElement>(null)
  const submitButton = useRef<HTMLButtonElement>(null)

  useEffect(() => {
    const left = new AbortController()
    client.backends({ signal: left.signal }).then(setBackends, (error: unknown) => {
      if (!left.signal.aborted) setMistake(mistakeOf(error))
    })
    return () => left.abort()
  }, [client])

  const running = useRef<AbortController>(null)
  useEffect(() => () => running.current?.abort(), [])
  const isKnown = backends !== null
  useEffect(() => {
    if (isKnown) body.current?.querySelector<HTMLElement>("input[type=radio]")?.focus()
  }, [isKnown])
  const { phase } = move
  useEffect(() => {
    if (phase === "moved") done.current?.focus()
  }, [phase])
  // What had the focus could not be used while it moved, and lost it.
  const hasFailed = phase === "asks" && mistake !== null && !mistake.isOfFolder
  useEffect(() => {
    if (hasFailed) submitButton.current?.focus()
  }, [hasFailed])

  const places = backends === null ? [] : movePlaces(state, backends)
  const place = places.find((one) => one.place === chosen) ?? places[0]
  const isReady = place !== undefined && (place.place !== "here" || folder.trim() !== "")

  const submit = async (event: FormEvent) => {
    event.preventDefault()
    if (!isReady || phase !== "asks") return
    if (place.place === "here" && !/^(\/|[A-Za-z]:[\\/])/.test(folder.trim())) {
      setMistake({ isOfFolder: true, words: "Give the whole path of the folder" })
      return
    }
    const stop = new AbortController()
    running.current = stop
    setMistake(null)
    setMove({ phase: "moves", since: timeline.seq, stop })
    try {
      await session.handoff(movedTo(state, place.place, folder), { signal: stop.signal })
      setMove({ phase: "moved", where: wordsOf(place).where })
    } catch (error) {
      setMistake(stop.signal.aborted ? null : mistakeOf(error))
      setMove({ phase: "asks" })
    }
  }

  if (move.phase === "moved") {
    return (
      <Dialog title="Moved" onClose={onClose}>
        <div className="dialog-body">
          <p className="move-done" role="status">
            <CircleCheck aria-hidden="true" />
            The session runs {move.where} now.
          </p>
        </div>
        <footer className="dialog-foot">
          <button ref={done} className="button primary" type="button" onClick={onClose}>
            Done
          </button>
        </footer>
      </Dialog>
    )
  }

  const isMoving = move.phase === "moves"
  return (
    <Dialog title="Move the session" onClose={() => (isMoving ? move.stop.abort() : onClose())} sticky={isMoving} wide>
      <form onSubmit={(event) => void submit(event)} aria-busy={isMoving}>
        <div className="dialog-body" ref={body}>
          <fieldset className="backends" disabled={isMoving}>
            <legend className="sr-only">Where it goes on</legend>
            {backends === null && mistake === null ? <p className="hint">Asking where it can go…</p> : null}
            {places.map((one) => {
              const { hint, name } = wordsOf(one)
              return (
                <PlaceChoice
                  key={one.place}
                  name="move-place"
                  value={one.place}
                  words={name}
                  hint={hint}
                  Icon={one.place === "here" ? HardDrive : Cloud}
                  checked={one === place}
                  onChoose={() => {
                    setChosen(one.place)
                    setMistake(null)
                  }}
                />
              )
            })}
          </fieldset>
          {backends !== null && places.length === 0 ? (
            <p className="hint">This server has no other place for what runs in it.</p>
          ) : null}
          {place?.place === "here" ? (
            <Field
              label="Folder"
              hint="On the server's machine, made if it is not there. What else is in it is kept beside it."
              problem={mistake?.isOfFolder === true ? mistake.words : null}
            >
              {(aria) => (
                <input
                  {...aria}
                  className="input mono"
                  placeholder="/home/you/project"
                  spellCheck={false}
                  disabled={isMoving}
                  value={folder}
                  onChange={({ target }) => {
                    setFolder(target.value)
                    if (mistake?.isOfFolder === true) setMistake(null)
                  }}
                />
              )}
            </Field>
          ) : null}
          {place === undefined ? null : (
            <ul className="move-facts">
              <li>The workspace goes along, with what is not committed. What git ignores stays.</li>
              <li>
                {isRestarted(state)
                  ? "A program that runs cannot be moved: it is ended here and started anew there."
                  : "The agent remembers what was said. A turn that runs is waited for, prompts wait meanwhile."}
              </li>
              <li>If it cannot be moved, it goes on where it is.</li>
            </ul>
          )}
          <div role="status">
            {isMoving ? (
              <p className="move-progress">
                <LoaderCircle className="spin" aria-hidden="true" />
                {progressOf(state, timeline, move.since)}
              </p>
            ) : null}
          </div>
          {mistake !== null && !mistake.isOfFolder ? <Problem words={mistake.words} /> : null}
        </div>
        <footer className="dialog-foot">
          <button className="button" type="button" onClick={() => (isMoving ? move.stop.abort() : onClose())}>
            {isMoving ? "Stop moving" : "Cancel"}
          </button>
          <button ref={submitButton} className="button primary" type="submit" disabled={!isReady || isMoving}>
            {isMoving ? "Moving…" : "Move it"}
          </button>
        </footer>
      </form>
    </Dialog>
  )
}
