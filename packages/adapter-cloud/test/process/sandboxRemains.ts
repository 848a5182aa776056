/** What is left of the sandboxes below a folder, seen without their provider. */
import { Effect } from "effect"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"

const names = (folder: string): ReadonlyArray<string> => {
  try {
    return readdirSync(folder)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return []
    throw error
  }
}

const read = (file: string): string => {
  try {
    return readFileSync(file, "latin1")
  } catch (error) {
    if (["ENOENT", "ESRCH", "EACCES"].includes((error as NodeJS.ErrnoException).code!)) return ""
    throw error
  }
}

/** Processes whose environment or command line names one of these texts. */
export const processesNaming = (texts: ReadonlyArray<string>): ReadonlyArray<string> =>
  names("/proc").flatMap((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return []
    const all = read(`/proc/${pid}/environ`) + read(`/proc/${pid}/cmdline`)
    return texts.some((text) => all.includes(text))
      ? [`process ${pid}: ${all.replaceAll("\0", " ").slice(0, 300)}`]
      : []
  })

/** Folders of sandboxes below a provider's folder, and processes that name the folder or carry `mark`. */
export const remainsBelow = (folder: string, mark: string): Effect.Effect<ReadonlyArray<string>> =>
  Effect.sync(() => [
    ...names(join(folder, "sandboxes")).map((name) => `folder ${name}`),
    ...processesNaming([folder, mark])
  ])
