/**
 * Parts of the page that are fetched when they are first needed. Not by `lazy` and `Suspense`: React shows what waited for them 0.3
 * seconds after another thing that waited, and not at all while an agent streams without a pause, since there is always more to draw.
 */
import { type ComponentType, useSyncExternalStore } from "react"

/** A part: null until it is there, `"failed"` where it could not be fetched; whoever needs it next tries again. */
export type LaterPart<P> = ComponentType<P> | null | "failed"

/** Makes the hook of a part. */
export const makePart = <P extends object>(load: () => Promise<ComponentType<P>>): (() => LaterPart<P>) => {
  let part: LaterPart<P> = null
  let loading: Promise<void> | undefined
  const listeners = new Set<() => void>()

  const fetchPart = async (): Promise<void> => {
    try {
      part = await load()
    } catch {
      part = "failed"
      loading = undefined
    }
    for (const listener of listeners) listener()
  }

  const subscribe = (listener: () => void) => {
    if (typeof part !== "function") loading ??= fetchPart()
    listeners.add(listener)
    return () => {
      listeners.delete(listener)
    }
  }

  return () => useSyncExternalStore(subscribe, () => part)
}

/** A component that shows a part of its own kind once it is there, and says so where it cannot be had. */
export const later = <P extends object>(load: () => Promise<ComponentType<P>>): ComponentType<P> => {
  const usePart = makePart(load)
  return (props: P) => {
    const Part = usePart()
    if (Part === null) return <div className="pane-empty" role="status" />
    if (Part === "failed") {
      return (
        <div className="pane-empty" role="alert">
          A part of this page could not be fetched. Is the server there? Load the page again.
        </div>
      )
    }
    return <Part {...props} />
  }
}
