/**
 * The parser and the highlighter, some 100 KB gzipped: fetched when there is something to show with them. Not by `lazy` and
 * `Suspense`: React does what waits for them when nothing else is to be drawn, and while an agent streams there always is.
 */
import { type ComponentType, useSyncExternalStore } from "react"

type MarkdownBody = ComponentType<{ readonly text: string }>

let body: MarkdownBody | null = null
let loading: Promise<void> | undefined
const listeners = new Set<() => void>()

const fetchBody = async (): Promise<void> => {
  try {
    body = (await import("./MarkdownBody.tsx")).MarkdownBody
    for (const listener of listeners) listener()
  } catch {
    // Without it texts are shown as they are written; the next one to be shown tries again.
    loading = undefined
  }
}

const subscribe = (listener: () => void) => {
  if (body === null) loading ??= fetchBody()
  listeners.add(listener)
  return () => {
    listeners.delete(listener)
  }
}

/** What shows a block of Markdown; null until it is there. */
export const useMarkdownBody = (): MarkdownBody | null => useSyncExternalStore(subscribe, () => body)
