/** Makes {@link Live} values. */
import type { Live } from "./Live.ts"

/** A live value and the hands on it. */
export interface LiveValue<A> {
  readonly live: Live<A>
  /** Tells of a new value; the same one, or any once it has ended, is no news. */
  readonly set: (value: A) => void
  /** Has a new value without waking anybody: for what may as well be seen a moment later. */
  readonly setQuietly: (value: A) => void
  /** Ends iterations and forgets listeners; `current` stays. */
  readonly end: () => void
}

/** Makes a live value; `onError` gets what listeners throw. */
export const makeLive = <A>(initial: A, onError: (error: unknown) => void): LiveValue<A> => {
  let current = initial
  let version = 0
  let told = 0
  let ended = false
  const listeners = new Set<() => void>()
  /** Of iterations, which wait for one change each. */
  const waiting = new Set<() => void>()

  const wake = () => {
    told = version
    for (const resume of waiting) resume()
    for (const listener of listeners) {
      try {
        listener()
      } catch (error) {
        onError(error)
      }
    }
  }

  const iterate = (): AsyncIterator<A, undefined> => {
    let seen = -1
    let left = false
    const look = (): IteratorResult<A, undefined> | undefined => {
      if (left) return { done: true, value: undefined }
      if (version !== seen) {
        seen = version
        return { done: false, value: current }
      }
      return ended ? { done: true, value: undefined } : undefined
    }
    const pending = new Set<() => void>()
    return {
      next: () =>
        new Promise((resolve) => {
          const resume = () => {
            const result = look()
            if (result === undefined) return
            waiting.delete(resume)
            pending.delete(resume)
            resolve(result)
          }
          waiting.add(resume)
          pending.add(resume)
          resume()
        }),
      return: () => {
        left = true
        for (const resume of pending) resume()
        return Promise.resolve({ done: true, value: undefined })
      }
    }
  }

  return {
    live: {
      get current() {
        return current
      },
      subscribe: (listener) => {
        // A listener of its own for each call, so that one that is given twice is called twice and removed once.
        const one = () => listener()
        if (!ended) listeners.add(one)
        return () => {
          listeners.delete(one)
        }
      },
      [Symbol.asyncIterator]: iterate
    },
    set: (value) => {
      if (ended || (value === current && told === version)) return
      if (value !== current) version++
      current = value
      wake()
    },
    setQuietly: (value) => {
      if (ended || value === current) return
      version++
      current = value
    },
    end: () => {
      if (ended) return
      ended = true
      for (const resume of waiting) resume()
      listeners.clear()
    }
  }
}
