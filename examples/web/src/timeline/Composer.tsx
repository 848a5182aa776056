/** Where prompts are written: with files, into the queue or into the running turn, with the agent's choices at hand. */
import type { ContentBlock, Delivery } from "@holdfast/core"
import { ArrowUp, CornerDownRight, FileText, Image as ImageIcon, ListEnd, Paperclip, Square, X } from "lucide-react"
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react"
import { type Attachment, maxAttachments, readAttachment } from "./Attachments.ts"
import { Choices } from "./Choices.tsx"
import type { ComposerProps } from "./props.ts"
import { type Sending, sendingOf } from "./Sending.ts"
import { problemText } from "./SessionScope.ts"
import { TypingSignal } from "./TypingSignal.ts"
import { useDraft } from "./useDraft.ts"
import "./composer.css"

/** Highest that the field grows, in pixels, before it scrolls. */
const highest = 320

const Attached = ({ attachment, onRemove }: { readonly attachment: Attachment; readonly onRemove: () => void }) => {
  const { block, name } = attachment
  return (
    <li className="tl-attached">
      {block.type === "image" && block.data !== undefined ? (
        <img src={`data:${block.mimeType};base64,${block.data}`} alt="" />
      ) : block.type === "image" ? (
        <ImageIcon className="tl-icon" aria-hidden="true" />
      ) : (
        <FileText className="tl-icon" aria-hidden="true" />
      )}
      <span>{name}</span>
      <button type="button" className="tl-small" aria-label={`Remove ${name}`} onClick={onRemove}>
        <X aria-hidden="true" />
      </button>
    </li>
  )
}

const deliveries: ReadonlyArray<readonly [Delivery, string, string, typeof ListEnd]> = [
  ["queue", "After this turn", "The prompt waits until the turn is over", ListEnd],
  ["steer", "Into this turn", "The agent reads it at its next step", CornerDownRight]
]

const DeliveryChoice = ({
  chosen,
  onChoose
}: {
  readonly chosen: Delivery
  readonly onChoose: (delivery: Delivery) => void
}) => (
  <div className="tl-delivery" role="group" aria-label="Where the prompt goes">
    {deliveries.map(([delivery, word, title, Icon]) => (
      <button
        key={delivery}
        type="button"
        aria-pressed={chosen === delivery}
        title={title}
        onClick={() => onChoose(delivery)}
      >
        <Icon aria-hidden="true" />
        {word}
      </button>
    ))}
  </div>
)

/** Files in the composer. */
const useAttachments = (onProblem: (problem: string | null) => void) => {
  const [attached, setAttached] = useState<ReadonlyArray<Attachment>>([])
  const add = useCallback(
    async (files: ReadonlyArray<File>) => {
      const read = await Promise.all(files.slice(0, maxAttachments).map(readAttachment))
      const problems = read.flatMap((one) => ("problem" in one ? [one.problem] : []))
      if (files.length > maxAttachments) problems.push(`A prompt has ${maxAttachments} files at most`)
      onProblem(problems.length === 0 ? null : `${problems.join(". ")}.`)
      const good = read.filter((one): one is Attachment => "block" in one)
      setAttached((before) => [...before, ...good].slice(0, maxAttachments))
    },
    [onProblem]
  )
  return { attached, setAttached, add }
}

const ButtonRow = ({ canSend, onStop, sending }: ButtonRowProps) => (
  <>
    {(sending.stoppable !== null || sending.isStopping) && (
      <button
        type="button"
        className="button tl-stop"
        disabled={sending.isStopping || sending.stoppable === null}
        aria-label={sending.isStopping ? "Stopping the turn" : "Stop the turn"}
        title="Stop the turn (Escape)"
        onClick={onStop}
      >
        <Square aria-hidden="true" />
        <span className="tl-stop-word">{sending.isStopping ? "Stopping…" : "Stop"}</span>
      </button>
    )}
    <button type="submit" className="button primary tl-send" disabled={!canSend} aria-label="Send" title="Send (Enter)">
      <ArrowUp aria-hidden="true" />
    </button>
  </>
)

interface ButtonRowProps {
  readonly sending: Sending
  readonly canSend: boolean
  readonly onStop: () => void
}

const Write = ({ connected, session, view }: ComposerProps) => {
  const { state } = view
  const field = useRef<HTMLTextAreaElement>(null)
  const picker = useRef<HTMLInputElement>(null)
  const [text, setText] = useDraft(session.sessionId)
  const [delivery, setDelivery] = useState<Delivery>("queue")
  const [problem, setProblem] = useState<string | null>(null)
  const [isOver, setOver] = useState(false)
  const { add, attached, setAttached } = useAttachments(setProblem)
  const typing = useMemo(() => new TypingSignal((writes) => session.typing(writes)), [session])
  useEffect(() => () => typing.stop(), [typing])
  const latestText = useRef(text)
  useEffect(() => {
    latestText.current = text
  }, [text])

  useLayoutEffect(() => {
    const element = field.current
    if (element === null) return
    element.style.height = "0"
    element.style.height = `${Math.min(highest, element.scrollHeight)}px`
  }, [text])

  const sending = useMemo(() => sendingOf(state, connected), [state, connected])
  const isBlank = text.trim() === "" && attached.length === 0
  const canSend = sending.reason === null && !isBlank
  const isSteering = delivery === "steer" && sending.steerInto !== null

  const send = async () => {
    if (!canSend) return
    const content: ReadonlyArray<ContentBlock> = [
      ...(text.trim() === "" ? [] : [{ type: "text" as const, text: text.trim() }]),
      ...attached.map(({ block }) => block)
    ]
    typing.stop()
    setProblem(null)
    setText("")
    setAttached([])
    try {
      const { steerInto } = sending
      await session.prompt(content, isSteering && steerInto !== null ? { delivery: "steer", turnId: steerInto } : {})
    } catch (error) {
      setProblem(problemText(error))
      // It is there to be sent again, unless something else was begun meanwhile.
      if (latestText.current === "") {
        setText(text)
        setAttached(attached)
      }
    }
  }

  const stop = () => {
    if (sending.stoppable === null) return
    setProblem(null)
    session.interrupt(sending.stoppable).catch((error: unknown) => setProblem(problemText(error)))
  }

  const onKey = (event: React.KeyboardEvent) => {
    if (event.key !== "Enter" || event.nativeEvent.isComposing || event.shiftKey || event.altKey) return
    // A keyboard on glass has no Shift+Enter: there Enter is a new line, and the button sends.
    const isChord = event.metaKey || event.ctrlKey
    if (!isChord && matchMedia("(pointer: coarse)").matches) return
    event.preventDefault()
    void send()
  }

  const hint = sending.reason ?? (isSteering ? "The agent reads it at its next step" : sending.hint)
  return (
    <form
      className={isOver ? "tl-composer tl-composer-over" : "tl-composer"}
      aria-label="Write to the agent"
      onSubmit={(event) => {
        event.preventDefault()
        void send()
      }}
      onDragOver={(event) => {
        if (!event.dataTransfer.types.includes("Files")) return
        event.preventDefault()
        setOver(true)
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault()
        setOver(false)
        void add([...event.dataTransfer.files])
      }}
    >
      {attached.length > 0 && (
        <ul className="tl-attachments" aria-label="Files of this prompt">
          {attached.map((one) => (
            <Attached
              key={one.id}
              attachment={one}
              onRemove={() => setAttached(attached.filter((other) => other !== one))}
            />
          ))}
        </ul>
      )}
      <textarea
        ref={field}
        className="tl-field"
        aria-label="Prompt"
        aria-describedby="tl-composer-hint"
        placeholder="Ask, or say what to do"
        enterKeyHint="enter"
        rows={1}
        value={text}
        onChange={({ target }) => {
          setText(target.value)
          if (target.value === "") typing.stop()
          else typing.wrote()
        }}
        onKeyDown={onKey}
        onPaste={(event) => {
          const files = [...event.clipboardData.files]
          if (files.length === 0) return
          event.preventDefault()
          void add(files)
        }}
      />
      <div className="tl-composer-bar">
        <button
          type="button"
          className="button icon"
          aria-label="Attach files"
          title="Attach files: paste and drop work too"
          onClick={() => picker.current?.click()}
        >
          <Paperclip aria-hidden="true" />
        </button>
        <input
          ref={picker}
          type="file"
          multiple
          hidden
          onChange={({ target }) => {
            void add([...(target.files ?? [])])
            target.value = ""
          }}
        />
        <div className="tl-choices">
          {state !== null && connected && <Choices session={session} state={state} onProblem={setProblem} />}
        </div>
        {sending.steerInto !== null && <DeliveryChoice chosen={delivery} onChoose={setDelivery} />}
        <div className="tl-composer-buttons">
          <ButtonRow sending={sending} canSend={canSend} onStop={stop} />
        </div>
      </div>
      <p
        id="tl-composer-hint"
        className={hint === null ? "sr-only" : sending.reason === null ? "tl-hint tl-hint-quiet" : "tl-hint"}
      >
        {hint ?? "Enter sends, Shift and Enter begin a new line"}
      </p>
      {problem !== null && (
        <p className="tl-problem" role="alert">
          {problem}
          <button type="button" className="tl-small" aria-label="Dismiss" onClick={() => setProblem(null)}>
            <X aria-hidden="true" />
          </button>
        </p>
      )}
    </form>
  )
}

/** The composer. Another session has its own draft. */
export const Composer = (props: ComposerProps) => <Write key={props.session.sessionId} {...props} />
