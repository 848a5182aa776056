/**
 * Shows a structured session (an agent's thread with prompts, messages and tool calls) where there is only a terminal, and
 * turns what is typed there into commands. {@link makeTerminalFace} is for people: it scrolls like any program, and has a
 * line to type at the bottom. {@link makePlainFace} is for pipes and files. Both are fed with the events of a log, and are
 * plain objects: no I/O, no clock, no dependency on Node.
 *
 * ```ts
 * import { makeTerminalFace } from "@holdfast/terminal-face"
 *
 * const face = makeTerminalFace({ cols: 80, rows: 24, participant: "host" })
 *
 * // What happens, to the terminal.
 * const show = async () => {
 *   for await (const page of holdfast.follow(sessionId, 0)) write(face.follow(page))
 * }
 *
 * // What is typed (the terminal is in raw mode), to the session.
 * const type = async (bytes: Uint8Array) => {
 *   const { commands, leave, output } = face.key(bytes)
 *   write(output)
 *   for (const command of commands) {
 *     await holdfast.command(sessionId, command).catch((error) => write(face.refused(command, error.message)))
 *   }
 *   if (leave) write(face.end())
 * }
 * ```
 */
export type { FaceCommand } from "./Composer.ts"
export { makePlainFace, type PlainFace, type PlainFaceOptions } from "./PlainFace.ts"
export { type FaceInput, makeTerminalFace, type TerminalFace, type TerminalFaceOptions } from "./TerminalFace.ts"
