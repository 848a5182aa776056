// Swaps a directory for a link and back, as fast as it can, from a thread of its own: until it is terminated.
import { renameSync, rmSync } from "node:fs"
import { parentPort, workerData } from "node:worker_threads"

const { directory, kept, link } = workerData

/** While there is nothing by the name, those that are attacked may make a directory there: it is taken away again. */
const put = (from, to) => {
  for (;;) {
    try {
      return renameSync(from, to)
    } catch (error) {
      if (!["EISDIR", "ENOTEMPTY", "EEXIST"].includes(error.code)) throw error
      try {
        rmSync(to, { recursive: true, force: true })
      } catch {
        // They make something in it meanwhile: once more.
      }
    }
  }
}

for (let rounds = 1; ; rounds++) {
  renameSync(directory, kept)
  put(link, directory)
  renameSync(directory, link)
  put(kept, directory)
  if (rounds % 500 === 0) parentPort.postMessage(rounds)
}
