/** The log for people: one line an event, and one for each thing that a reader should know about the log itself. */
import { type EventRecord, type Followed, readEvent } from "@holdfast/core"
import { eventDetail } from "./EventDetail.ts"
import type { Look, Style } from "./Style.ts"
import { oneLine, timeOfDay } from "./Text.ts"

/** Columns of the longest type that is common in a terminal's log. */
const typeColumns = 18

const looks: { readonly [group: string]: Look } = {
  session: "magenta",
  backend: "blue",
  prompt: "green",
  turn: "cyan",
  item: "cyan",
  permission: "yellow",
  question: "yellow",
  process: "blue",
  participant: "magenta"
}

const detailOf = (record: EventRecord, style: Style): string => {
  const read = readEvent(record)
  switch (read.kind) {
    case "known":
      return oneLine(eventDetail(read.event))
    case "unknown":
      return `${style("dim", "(of a newer version)")} ${oneLine(JSON.stringify(record.data)).slice(0, 120)}`
    case "corrupt":
      return style("red", oneLine(`does not fit its type: ${read.message}`))
  }
}

/** The line of an event. */
export const eventLine = (record: EventRecord, style: Style): string => {
  const look = looks[record.type.slice(0, record.type.indexOf("."))] ?? "dim"
  const by = record.actor === undefined ? "" : style("dim", `  (${oneLine(record.actor)})`)
  const head = `${String(record.seq).padStart(6)}  ${style("dim", timeOfDay(record.at))}  `
  return `${head}${style(look, record.type.padEnd(typeColumns))}  ${detailOf(record, style)}${by}`.trimEnd()
}

/** What a person should know of a page beside its events; undefined where there is nothing. */
export const pageNotice = (page: Followed): string | undefined => {
  if (page.answer === "gap") return `events ${page.from} to ${page.to} cannot be had: ${page.detail}`
  if (page.answer !== "snapshot") return undefined
  const by = page.covering.map((one) => `the screen at ${one.seq}`).join(", ")
  return `some events before ${page.wholeAt} were compacted${by === "" ? "" : `; ${by} stands for their output`}`
}
