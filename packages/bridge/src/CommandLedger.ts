/** Which commands a bridge has taken, and what came of them: no command is performed twice, whatever dies. */
import { bridgeBounds } from "@holdfast/core/cloud"
import type { BridgeFailure, BridgeResult } from "@holdfast/core/cloud"
import type { BridgeDatabase } from "./BridgeDatabase.ts"

/** What came of a command. */
export type CommandAnswer =
  { readonly result: typeof BridgeResult.Type } | { readonly failure: BridgeFailure } | { readonly typed: true }

/** Answers and decisions that are kept: what the protocol allows to be unanswered, so that none is asked for in vain. */
const kept = bridgeBounds.taken

/** Commands between two clean-ups. */
const pruneEvery = 256

/** What is known of a command. */
export type CommandKnown = "new" | "performing" | CommandAnswer

/** The ledger. What stores throws `DiskFull`, and then nothing was stored. */
export interface CommandLedger {
  /** The highest number that was taken. */
  readonly highest: () => number
  /** The decisions that were taken, the newest of them, oldest first. */
  readonly taken: () => ReadonlyArray<number>
  readonly look: (id: number) => CommandKnown
  /** Stores that a command is taken. With an answer it counts as answered from the start. */
  readonly take: (id: number, seq: number | undefined, answer?: CommandAnswer) => void
  readonly answer: (id: number, answer: CommandAnswer) => void
  /** The generation of the inner backend that is open or being opened; null where none is. */
  readonly openGeneration: () => number | null
  readonly setOpenGeneration: (generation: number | null) => void
}

const lostWithBridge: CommandAnswer = {
  failure: {
    kind: "lost",
    reason: "the bridge died before the command was answered: it may have been performed",
    retryable: true
  }
}

const forgotten: CommandAnswer = {
  failure: { kind: "lost", reason: "the command was taken long ago, and its answer is forgotten", retryable: false }
}

/** Opens the ledger in the bridge's file. What was not answered when the last bridge died never will be: it is lost. */
export const openCommandLedger = ({ db, transact }: BridgeDatabase): CommandLedger => {
  const insert = db.prepare("INSERT INTO commands (id, answer) VALUES (?, ?)")
  const insertSeq = db.prepare("INSERT OR IGNORE INTO taken (seq) VALUES (?)")
  const setAnswer = db.prepare("UPDATE commands SET answer = ? WHERE id = ?")
  const getAnswer = db.prepare("SELECT answer FROM commands WHERE id = ?")
  const prune = db.prepare("DELETE FROM commands WHERE id <= ? AND answer IS NOT NULL")
  const pruneTaken = db.prepare("DELETE FROM taken WHERE at <= (SELECT max(at) FROM taken) - ?")
  const newest = db.prepare("SELECT seq FROM taken ORDER BY at DESC LIMIT ?")
  const setFact = db.prepare("INSERT OR REPLACE INTO facts (name, value) VALUES ('open', ?)")
  const dropFact = db.prepare("DELETE FROM facts WHERE name = 'open'")

  transact(() => db.prepare("UPDATE commands SET answer = ? WHERE answer IS NULL").run(JSON.stringify(lostWithBridge)))
  const performing = new Set<number>()
  let highest = (db.prepare("SELECT coalesce(max(id), 0) AS id FROM commands").get() as { id: number }).id
  const found = db.prepare("SELECT value FROM facts WHERE name = 'open'").get() as { value: number } | undefined
  let open = found?.value ?? null

  return {
    highest: () => highest,
    taken: () => (newest.all(kept) as Array<{ seq: number }>).map(({ seq }) => seq).toReversed(),
    look: (id) => {
      if (id > highest) return "new"
      if (performing.has(id)) return "performing"
      const row = getAnswer.get(id) as { answer: string } | undefined
      return row === undefined ? forgotten : (JSON.parse(row.answer) as CommandAnswer)
    },
    take: (id, seq, answer) => {
      const store = () => {
        insert.run(id, answer === undefined ? null : JSON.stringify(answer))
        if (seq !== undefined) insertSeq.run(seq)
        if (id % pruneEvery !== 0) return
        prune.run(id - kept)
        pruneTaken.run(kept)
      }
      transact(store)
      highest = id
      if (answer === undefined) performing.add(id)
    },
    answer: (id, answer) => {
      transact(() => setAnswer.run(JSON.stringify(answer), id))
      performing.delete(id)
    },
    openGeneration: () => open,
    setOpenGeneration: (generation) => {
      transact(() => (generation === null ? dropFact.run() : setFact.run(generation)))
      open = generation
    }
  }
}
