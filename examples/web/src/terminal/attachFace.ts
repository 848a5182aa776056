/** A structured session in an element of the page, shown as a terminal: a renderer over its events. */
import type { ClientSession } from "@holdfast/client"
import { type FaceCommand, makeTerminalFace } from "@holdfast/terminal-face"
import { TypingSignal } from "../timeline/TypingSignal.ts"
import { terminalColours } from "./colours.ts"
import { makeEmulator } from "./makeEmulator.ts"

/** What the page knows and wants to know. */
export interface FaceOwner {
  readonly isDark: () => boolean
  readonly label: string
  readonly participantId: string
  readonly readOnly: boolean
  readonly onReady: () => void
  /** The person wants to leave the terminal. */
  readonly onLeave: () => void
  readonly onProblem: (error: unknown) => void
}

/** Shows it. */
export const attachFace = (element: HTMLElement, session: ClientSession, owner: FaceOwner) => {
  const emulator = makeEmulator(element, { isDark: owner.isDark(), label: owner.label })
  const { terminal } = emulator
  const resize = () => {
    const size = emulator.fitting()
    if (size !== undefined) terminal.resize(size.cols, size.rows)
  }
  resize()
  const face = makeTerminalFace({
    cols: terminal.cols,
    rows: terminal.rows,
    participant: owner.participantId,
    readOnly: owner.readOnly
  })
  const left = new AbortController()
  const written = (text: string): Promise<void> | void =>
    text === "" || left.signal.aborted ? undefined : new Promise((resolve) => terminal.write(text, resolve))

  const send = async (command: FaceCommand) => {
    try {
      await session.command(command)
    } catch (error) {
      void written(face.refused(command, error instanceof Error ? error.message : String(error)))
    }
  }
  const typing = new TypingSignal((writes) => session.typing(writes))
  terminal.onData((data) => {
    const { commands, leave, output } = face.key(data)
    void written(output)
    if (commands.length > 0) typing.stop()
    else if (output !== "" && !owner.readOnly) typing.wrote()
    for (const command of commands) void send(command)
    if (leave) owner.onLeave()
  })
  terminal.onResize(({ cols, rows }) => void written(face.resize(cols, rows)))
  const sizes = new ResizeObserver(resize)
  sizes.observe(element)

  const follow = async () => {
    try {
      // Whoever draws slowly is given pages slowly: the loop waits for what it wrote.
      for await (const page of session.events(0, { signal: left.signal })) {
        await written(face.follow(page))
        if (page.answer === "caught-up") owner.onReady()
      }
    } catch (error) {
      if (!left.signal.aborted) owner.onProblem(error)
    }
  }
  void follow()

  return {
    recolour: () => {
      terminal.options.theme = terminalColours(owner.isDark())
    },
    focus: () => terminal.focus(),
    close: () => {
      typing.stop()
      left.abort()
      sizes.disconnect()
      face.end()
      emulator.close()
    }
  }
}
