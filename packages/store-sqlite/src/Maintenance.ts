/**
 * What makes a log smaller, in slices between which appends go on: each slice is one transaction after which the log is
 * whole. Plain SQL without imports of ours: it runs in the writer's thread.
 */
import type { DatabaseSync } from "node:sqlite"
import type { Writer } from "./WriteBatch.ts"

/** Rows that one slice looks at: 1,000, a few milliseconds. */
const sliceRows = 1000

/** Bytes that one slice frees: 4 MiB. Freeing a page costs about as much as writing it. */
const sliceBytes = 4 * 1024 * 1024

/** Pages that one slice of a vacuum gives back: 1,024, that is 4 MiB. */
const slicePages = 1024

/** A slice of a compaction: the event's seqs after `cursor` are still to be looked at. */
export type CompactSlice = {
  readonly session: number
  readonly cursor: number
} & (
  | { readonly kind: "item"; readonly itemId: string; readonly by: number }
  | { readonly kind: "terminal"; readonly through: number; readonly by: number }
)

/** What a slice did, and where the next one goes on; undefined at the end. */
export interface SliceDone {
  readonly events: number
  readonly bytes: number
  readonly cursor?: number | undefined
}

interface Hole {
  readonly first: number
  readonly last: number
  readonly kind: string
  readonly by: number
}

const nothing: SliceDone = { events: 0, bytes: 0 }

/** Prepares maintenance on a connection. */
export const makeMaintenance = (db: DatabaseSync, writer: Writer) => {
  const event = db.prepare("SELECT type, data FROM events WHERE id = (? << 32) | ?")
  const dataPieces = db.prepare(
    "SELECT content FROM pieces WHERE event = (? << 32) | ? AND piece < 1048576 ORDER BY piece"
  )
  const cover = db.prepare("SELECT by FROM holes WHERE session = ? AND kind = 'terminal' ORDER BY first DESC LIMIT 1")
  const recover = db.prepare("UPDATE holes SET by = ? WHERE session = ? AND kind = 'terminal'")
  const candidates = db.prepare(
    `SELECT id & 0xffffffff AS seq, type, typeof(data) AS form, length(data) AS data_bytes, coalesce(length(bytes), 0) AS bytes,
       CASE WHEN type = 'item.delta' AND typeof(data) = 'text' AND json_valid(data) THEN data ->> '$.itemId' END AS item
     FROM events WHERE id > ((? << 32) | ?) AND id < ((? << 32) | ?) ORDER BY id LIMIT ?`
  )
  const deleteEvent = db.prepare("DELETE FROM events WHERE id = (? << 32) | ?")
  const deletePieces = db.prepare("DELETE FROM pieces WHERE event = (? << 32) | ?")
  const pieceSize = db.prepare(
    "SELECT coalesce(sum(length(content)), 0) AS bytes FROM pieces WHERE event = (? << 32) | ?"
  )
  const holesNear = db.prepare(
    "SELECT first, last, kind, by FROM holes WHERE session = ? AND first <= ? AND last >= ? ORDER BY first"
  )
  const deleteHole = db.prepare("DELETE FROM holes WHERE session = ? AND first = ?")
  const insertHole = db.prepare("INSERT INTO holes VALUES (?, ?, ?, ?, ?)")
  const wholeSession = db.prepare("SELECT 1 FROM sessions WHERE id = ?")

  /** The data of an event, put together where it is in pieces. */
  const dataOf = (session: number, seq: number, type: string): { readonly [key: string]: unknown } | undefined => {
    const row = event.get(session, seq)
    if (row?.["type"] !== type) return undefined
    const stored = row["data"]
    const text =
      typeof stored === "string"
        ? stored
        : Buffer.concat(dataPieces.all(session, seq).map((piece) => piece["content"] as Uint8Array)).toString()
    try {
      return JSON.parse(text) as { readonly [key: string]: unknown }
    } catch {
      // A damaged event stands for nothing; readers are told of it as a corrupt row.
      return undefined
    }
  }

  /** Whether the event that is to stand for the removed ones really does. */
  const stands = (slice: CompactSlice): boolean => {
    if (slice.kind === "item") return dataOf(slice.session, slice.by, "item.completed")?.["itemId"] === slice.itemId
    const through = Number(dataOf(slice.session, slice.by, "terminal.snapshot")?.["through"])
    if (!(through >= slice.through) || slice.through >= slice.by) return false
    const before = cover.get(slice.session)?.["by"]
    // A snapshot of less than what is already gone cannot stand for it.
    return (
      before === undefined ||
      !(Number(dataOf(slice.session, Number(before), "terminal.snapshot")?.["through"]) > through)
    )
  }

  const addHoles = (session: number, added: ReadonlyArray<Hole>) => {
    const first = added[0]!.first - 1
    const last = added.at(-1)!.last + 1
    const near = holesNear.all(session, last, first) as unknown as ReadonlyArray<Hole>
    for (const hole of near) deleteHole.run(session, hole.first)
    let open: Hole | undefined
    const close = () => {
      if (open !== undefined) insertHole.run(session, open.first, open.last, open.kind, open.by)
    }
    for (const hole of [...near, ...added].toSorted((a, b) => a.first - b.first)) {
      if (open?.kind === hole.kind && open.last + 1 === hole.first) {
        // Two items that streamed at once: the run is whole when the later one is.
        open = { ...open, last: hole.last, by: Math.max(open.by, hole.by) }
      } else {
        close()
        open = hole
      }
    }
    close()
  }

  /** Does as many as there is room for in one transaction; of the others nothing is done, and they go on where they were. */
  const compact = (slices: ReadonlyArray<CompactSlice>): ReadonlyArray<SliceDone> =>
    writer.transact(() => {
      let events = 0
      let bytes = 0
      return slices.map((slice) => {
        if (events >= sliceRows || bytes >= sliceBytes) return { events: 0, bytes: 0, cursor: slice.cursor }
        const done = compactSlice(slice)
        events += done.events
        bytes += done.bytes
        return done
      })
    })

  const compactSlice = (slice: CompactSlice): SliceDone => {
    const { by, cursor, kind, session } = slice
    if (wholeSession.get(session) === undefined || !stands(slice)) return nothing
    if (kind === "terminal") recover.run(by, session)
    const gone: Array<Hole> = []
    let bytes = 0
    let looked = 0
    let next = cursor
    for (const row of candidates.all(session, cursor, session, by, sliceRows)) {
      looked++
      next = Number(row["seq"])
      const goes =
        kind === "item"
          ? row["item"] === slice.itemId
          : row["type"] === "terminal.snapshot" || (row["type"] === "terminal.output" && next <= slice.through)
      if (!goes) continue
      const inPieces = Number(pieceSize.get(session, next)?.["bytes"])
      bytes += (row["form"] === "text" ? Number(row["data_bytes"]) : 0) + Number(row["bytes"]) + inPieces
      deleteEvent.run(session, next)
      if (inPieces > 0) deletePieces.run(session, next)
      gone.push({ first: next, last: next, kind, by })
      if (bytes >= sliceBytes) break
    }
    if (gone.length > 0) addHoles(session, gone)
    const more = looked === sliceRows || bytes >= sliceBytes
    return { events: gone.length, bytes, cursor: more ? next : undefined }
  }

  const unlist = [
    db.prepare("DELETE FROM sessions WHERE id = ?"),
    db.prepare("DELETE FROM receipts WHERE session = ?"),
    db.prepare("DELETE FROM checkpoints WHERE session = ?"),
    db.prepare("DELETE FROM holes WHERE session = ?"),
    db.prepare("INSERT OR IGNORE INTO trash VALUES (?)")
  ]
  const countRemoval = db.prepare("UPDATE lease SET removals = removals + 1")

  /** Takes a session off the list: from here on it is gone for every reader. */
  const remove = (session: number) =>
    writer.transact(() => {
      for (const statement of unlist) statement.run(session)
      countRemoval.run()
    })

  const rowsOf = db.prepare(
    `SELECT id & 0xffffffff AS seq, length(data) + coalesce(length(bytes), 0) AS bytes FROM events
     WHERE id >= (? << 32) AND id < ((? + 1) << 32) ORDER BY id LIMIT ?`
  )
  const emptied = db.prepare("DELETE FROM trash WHERE session = ?")
  const trashed = db.prepare("SELECT session FROM trash LIMIT 1")

  /** Deletes some rows of a session that is off the list; `cursor` is a session that is not empty yet. */
  const sweep = (): SliceDone =>
    writer.transact(() => {
      const session = trashed.get()?.["session"]
      if (session === undefined) return nothing
      let events = 0
      let bytes = 0
      for (const row of rowsOf.all(session, session, sliceRows)) {
        const seq = Number(row["seq"])
        const inPieces = Number(pieceSize.get(session, seq)?.["bytes"])
        if (inPieces > 0) deletePieces.run(session, seq)
        deleteEvent.run(session, seq)
        events++
        bytes += Number(row["bytes"]) + inPieces
        if (bytes >= sliceBytes) return { events, bytes, cursor: Number(session) }
      }
      if (events < sliceRows) emptied.run(session)
      return { events, bytes, cursor: Number(session) }
    })

  const free = db.prepare("PRAGMA freelist_count")

  /** Gives some free pages back. */
  const vacuum = (): SliceDone => {
    writer.transact(() => undefined)
    const before = Number(free.get()?.["freelist_count"])
    if (before > 0) db.exec(`PRAGMA incremental_vacuum(${slicePages})`)
    const after = Number(free.get()?.["freelist_count"])
    return { events: 0, bytes: 0, cursor: after > 0 && after < before ? after : undefined }
  }

  return { compact, remove, sweep, vacuum }
}
