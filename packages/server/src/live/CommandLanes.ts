/**
 * The order of a connection's commands. What a client sends to one session is taken in the order in which it was sent, each
 * when the one before is answered; keystrokes have a lane of their own, so that a program that does not read what is typed cannot
 * keep its session from being closed.
 */

/** Starts a command, and calls when it is answered. */
export type Start = (answered: () => void) => void

/** Commands that wait for the one before them. */
export class CommandLanes {
  readonly #lanes = new Map<string, Array<Start>>()
  #pending = 0

  /** Commands without an answer. */
  get pending(): number {
    return this.#pending
  }

  /** Whether nothing in the lane waits for its answer. */
  isFree(lane: string): boolean {
    return !this.#lanes.has(lane)
  }

  add(lane: string, start: Start): void {
    this.#pending++
    const waiting = this.#lanes.get(lane)
    if (waiting !== undefined) return void waiting.push(start)
    this.#lanes.set(lane, [])
    this.#run(lane, start)
  }

  #run(lane: string, start: Start): void {
    start(() => {
      this.#pending--
      const next = this.#lanes.get(lane)!.shift()
      if (next === undefined) this.#lanes.delete(lane)
      else this.#run(lane, next)
    })
  }
}
