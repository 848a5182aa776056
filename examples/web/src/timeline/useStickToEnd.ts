/** A list that stays at its end while the reader is there. */
import { type RefObject, useCallback, useEffect, useLayoutEffect, useRef, useState } from "react"

/** Pixels from the end within which the reader counts as being there. */
const nearEnd = 80

/** A list's end. */
export interface StuckToEnd {
  readonly isAtEnd: boolean
  readonly toEnd: () => void
}

/** Follows the end of what `scroller` shows, whose height is `size`, unless the reader scrolled away from it. */
export const useStickToEnd = (scroller: RefObject<HTMLElement | null>, size: number): StuckToEnd => {
  const sticks = useRef(true)
  const lastTop = useRef(0)
  const [isAtEnd, setAtEnd] = useState(true)

  const write = useCallback(() => {
    const element = scroller.current
    if (element === null) return
    element.scrollTop = element.scrollHeight
    lastTop.current = element.scrollTop
  }, [scroller])

  useLayoutEffect(() => {
    if (sticks.current) write()
  }, [size, write])

  useEffect(() => {
    const element = scroller.current
    if (element === null) return
    const onScroll = () => {
      const { clientHeight, scrollHeight, scrollTop } = element
      const isNear = scrollHeight - clientHeight - scrollTop <= nearEnd
      // Growth alone puts the end further away without the reader's doing.
      if (isNear) sticks.current = true
      else if (scrollTop < lastTop.current - 1) sticks.current = false
      lastTop.current = scrollTop
      setAtEnd(isNear || sticks.current)
    }
    // A keyboard that comes up, or a window that gets smaller, does not take the reader away from the end.
    const resized = new ResizeObserver(() => {
      if (sticks.current) write()
    })
    element.addEventListener("scroll", onScroll, { passive: true })
    resized.observe(element)
    return () => {
      element.removeEventListener("scroll", onScroll)
      resized.disconnect()
    }
  }, [scroller, write])

  const toEnd = useCallback(() => {
    sticks.current = true
    setAtEnd(true)
    write()
  }, [write])
  return { isAtEnd, toEnd }
}
