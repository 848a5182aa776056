import type { CommandId, Receipt } from "@holdfast/core"

/**
 * Receipts after which those before them are forgotten: a live session remembers its newest 512 and at most as many more. Older ones
 * are looked up in the log. About 200 KB at the most.
 */
const half = 512

/** The newest receipts of a session, so that a repeated command costs nothing and a keystroke is not typed twice. */
export class RecentReceipts {
  // Two tables and not one that forgets its oldest with each that is added: that takes as long as all the rest of a keystroke.
  #newer = new Map<CommandId, Receipt>()
  #older = new Map<CommandId, Receipt>()

  get(commandId: CommandId): Receipt | undefined {
    return this.#newer.get(commandId) ?? this.#older.get(commandId)
  }

  add(receipt: Receipt): void {
    this.#newer.set(receipt.commandId, receipt)
    if (this.#newer.size < half) return
    this.#older = this.#newer
    this.#newer = new Map()
  }

  delete(commandId: CommandId): void {
    this.#newer.delete(commandId)
    this.#older.delete(commandId)
  }
}
