/** Keeps a program that reports without end from filling the log: what it says within one window of time becomes a few events. */
import type { TerminalReport } from "./TerminalReports.ts"

/** Most notifications and marks of one window; of more the newest count. 32 marks are eight commands that are pasted at once. */
const maxNotifications = 4
const maxMarks = 32

/**
 * Milliseconds of a window: ten a second look immediate to people. With one event each for bell, title, directory and progress
 * a program can cause at most 400 report events a second.
 */
export const reportWindowMs = 100

/** The reports of one window. */
export interface ReportWindow {
  /** Bells add up; of titles, directories and progress the last counts. */
  readonly add: (report: TerminalReport) => void
  readonly isEmpty: () => boolean
  /** Ends the window: its reports in the order of their last change, without those that repeat what was last told. */
  readonly take: () => ReadonlyArray<TerminalReport>
}

/** Makes an empty window. */
export const makeReportWindow = (): ReportWindow => {
  let waiting: Array<TerminalReport> = []
  const told = new Map<TerminalReport["type"], string>()

  const removeOldest = (type: TerminalReport["type"]) => {
    const at = waiting.findIndex((report) => report.type === type)
    return at === -1 ? undefined : waiting.splice(at, 1)[0]
  }

  const keep = (report: TerminalReport, most: number) => {
    if (waiting.filter((one) => one.type === report.type).length >= most) removeOldest(report.type)
    waiting.push(report)
  }

  return {
    add: (report) => {
      switch (report.type) {
        case "terminal.belled": {
          const before = removeOldest(report.type)
          const count = report.data.count + (before?.type === report.type ? before.data.count : 0)
          return waiting.push({ type: report.type, data: { count } })
        }
        case "terminal.notified":
          return keep(report, maxNotifications)
        case "terminal.marked":
          return keep(report, maxMarks)
        default:
          return keep(report, 1)
      }
    },
    isEmpty: () => waiting.length === 0,
    take: () => {
      const reports = waiting.filter((report) => {
        const lasts =
          report.type === "terminal.titled" ||
          report.type === "terminal.directory_changed" ||
          report.type === "terminal.progressed"
        if (!lasts) return true
        const text = JSON.stringify(report.data)
        if (told.get(report.type) === text) return false
        told.set(report.type, text)
        return true
      })
      waiting = []
      return reports
    }
  }
}
