import type { CommandId, Receipt } from "@holdfast/core"

/** Receipts that a live session remembers; older ones are looked up in the log. About 200 KB at the most. */
const capacity = 1_024

/** The newest receipts of a session, so that a repeated command costs nothing and a keystroke is not typed twice. */
export class RecentReceipts {
  readonly #receipts = new Map<CommandId, Receipt>()

  get(commandId: CommandId): Receipt | undefined {
    return this.#receipts.get(commandId)
  }

  add(receipt: Receipt): void {
    this.#receipts.set(receipt.commandId, receipt)
    if (this.#receipts.size <= capacity) return
    const oldest = this.#receipts.keys().next()
    if (!oldest.done) this.#receipts.delete(oldest.value)
  }

  delete(commandId: CommandId): void {
    this.#receipts.delete(commandId)
  }
}
