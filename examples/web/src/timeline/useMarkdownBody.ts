/** The parser and the highlighter, some 100 KB gzipped: fetched when there is something to show with them. */
import type { ComponentType } from "react"
import { makePart } from "../later.tsx"

type MarkdownBody = ComponentType<{ readonly text: string }>

const usePart = makePart(async (): Promise<MarkdownBody> => (await import("./MarkdownBody.tsx")).MarkdownBody)

/** What shows a block of Markdown; null until it is there: then texts are shown as they are written. */
export const useMarkdownBody = (): MarkdownBody | null => {
  const part = usePart()
  return part === "failed" ? null : part
}
