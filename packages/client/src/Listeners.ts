/** Who wants to be told of something: one that throws does not keep others from being told. */

/** Listeners of one kind. */
export class Listeners<Args extends ReadonlyArray<unknown>> {
  readonly #onError: (error: unknown) => void
  readonly #all = new Set<(...args: Args) => unknown>()

  constructor(onError: (error: unknown) => void) {
    this.#onError = onError
  }

  get size(): number {
    return this.#all.size
  }

  /** Adds one; the result removes it. */
  readonly add = (listener: (...args: Args) => unknown): (() => void) => {
    // A function of its own for each call, so that one that is given twice is called twice and removed once.
    const one = (...args: Args) => listener(...args)
    this.#all.add(one)
    return () => {
      this.#all.delete(one)
    }
  }

  /** Tells all; what is to be waited for, if any of them gave a promise. It never rejects. */
  tell(...args: Args): Promise<void> | undefined {
    let waiting: Array<Promise<unknown>> | undefined
    for (const listener of this.#all) {
      try {
        const result = listener(...args)
        if (result instanceof Promise) (waiting ??= []).push(result.catch(this.#onError))
      } catch (error) {
        this.#onError(error)
      }
    }
    return waiting === undefined ? undefined : Promise.all(waiting).then(() => undefined)
  }

  clear(): void {
    this.#all.clear()
  }
}
