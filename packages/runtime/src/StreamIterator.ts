/** Streams for hosts that do not use Effect. */
import { Cause, Effect, Exit, Fiber, Pull, Scope, Stream } from "effect"

/**
 * A stream as an async iterable; `break` runs its finalizers. Effect's own runs two fibers for each pull, and a follower's page, which
 * is an echo on somebody's screen, waits for both.
 */
export const iterable = <A, E>(stream: Stream.Stream<A, E>): AsyncIterable<A> => ({
  [Symbol.asyncIterator]: () => new StreamIterator(stream)
})

class StreamIterator<A, E> implements AsyncIterator<A, undefined> {
  readonly #scope = Scope.makeUnsafe()
  #pull: Effect.Effect<readonly [A, ...Array<A>], E | Cause.Done>
  #values: ReadonlyArray<A> = []
  #at = 0
  /** The pull under way, and who waits for it: calls are answered in their order. */
  #pulling: Fiber.Fiber<unknown, unknown> | undefined
  #asked: Promise<IteratorResult<A, undefined>> | undefined
  #closed: Promise<IteratorReturnResult<undefined>> | undefined

  constructor(stream: Stream.Stream<A, E>) {
    this.#pull = Effect.flatMap(Scope.provide(Stream.toPull(stream), this.#scope), (pull) => {
      this.#pull = pull
      return pull
    })
  }

  next(): Promise<IteratorResult<A, undefined>> {
    if (this.#closed !== undefined) return this.#closed
    if (this.#asked !== undefined) {
      const again = () => this.next()
      return this.#asked.then(again, again)
    }
    if (this.#at < this.#values.length) return Promise.resolve({ done: false, value: this.#values[this.#at++]! })
    const fiber = Effect.runFork(this.#pull)
    this.#pulling = fiber
    const asked = new Promise<IteratorResult<A, undefined>>((resolve, reject) => {
      fiber.addObserver((exit) => {
        this.#pulling = undefined
        this.#asked = undefined
        if (Exit.isSuccess(exit)) {
          this.#values = exit.value
          this.#at = 1
          resolve({ done: false, value: exit.value[0] })
        } else this.#end(exit.cause).then(resolve, reject)
      })
    })
    if (this.#pulling !== undefined) this.#asked = asked
    return asked
  }

  async #end(cause: Cause.Cause<E | Cause.Done>): Promise<IteratorReturnResult<undefined>> {
    if (this.#closed !== undefined && Cause.hasInterruptsOnly(cause)) return this.#closed
    if (Pull.isDoneCause(cause)) return this.#close(Exit.void)
    await this.#closeAfter(cause)
    throw Cause.squash(cause)
  }

  #close(exit: Exit.Exit<unknown, unknown>): Promise<IteratorReturnResult<undefined>> {
    if (this.#closed === undefined) {
      // Before the interruption, whose news comes at once.
      const closed = Promise.withResolvers<IteratorReturnResult<undefined>>()
      this.#closed = closed.promise
      const interrupted = this.#pulling === undefined ? Effect.void : Fiber.interrupt(this.#pulling)
      const closing = Effect.andThen(interrupted, Scope.close(this.#scope, exit))
      Effect.runPromise(closing).then(() => closed.resolve({ done: true, value: undefined }), closed.reject)
    }
    return this.#closed
  }

  /** What fails besides is told to the log: the first error is the one that the caller gets. */
  async #closeAfter(cause: Cause.Cause<unknown>): Promise<void> {
    try {
      await this.#close(Exit.failCause(cause))
    } catch (error) {
      await Effect.runPromise(Effect.logError("a stream's finalizer failed after the stream had", error))
    }
  }

  return(): Promise<IteratorReturnResult<undefined>> {
    return this.#close(Exit.void)
  }

  async throw(error: unknown): Promise<never> {
    await this.#closeAfter(Cause.die(error))
    throw error
  }
}
