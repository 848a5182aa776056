/** What a transcript has to be printed, in order: whole blocks, and texts that stream. */
import type { StyledLine } from "./StyledLine.ts"

/**
 * What a print belongs to. A face sets groups apart with an empty line. An `alert` is a note or the end of a turn that
 * somebody should see.
 */
export type PrintGroup = "message" | "reasoning" | "prompt" | "tool" | "plan" | "request" | "turn" | "note" | "alert"

/** Lines that belong together. */
export interface PrintBlock {
  readonly print: "block"
  readonly group: PrintGroup
  readonly lines: ReadonlyArray<StyledLine>
}

/** Something to print. */
export type Print =
  | PrintBlock
  /** A text begins. */
  | {
      readonly print: "opened"
      readonly stream: string
      readonly group: "message" | "reasoning"
      /** It happened under another item: a subagent's. */
      readonly nested: boolean
    }
  /** A piece of it. */
  | { readonly print: "text"; readonly stream: string; readonly text: string }
  /** It is whole, or cut off. `whole` is all of it, where that is known; `lines` stand below it. */
  | {
      readonly print: "closed"
      readonly stream: string
      readonly whole: string | undefined
      readonly lines: ReadonlyArray<StyledLine>
    }

/** Whether no empty line sets two prints apart, the second of which is of this group. */
export const followsClosely = (last: PrintGroup, next: PrintGroup): boolean => {
  const around = (group: PrintGroup) => group === "note" || group === "turn" || group === "alert"
  return around(last) ? around(next) : last === next && (next === "tool" || next === "request")
}

/** Lines that stand under another item. */
export const nest = (lines: ReadonlyArray<StyledLine>, nested: boolean): ReadonlyArray<StyledLine> =>
  nested
    ? lines.map((line) => ({
        ...line,
        lead: { ...line.lead, text: `  ${line.lead?.text ?? ""}` },
        hang: { ...line.hang, text: `  ${line.hang?.text ?? ""}` }
      }))
    : lines
