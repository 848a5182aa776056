/** The process of the terminal's benchmarks of floods and echoes: says its figures to the one that started it. */
import { letHeapGrow } from "@holdfast/runtime"
import { measureEcho, measureFlood } from "./terminal.ts"

// As the examples' hosts do.
letHeapGrow()

const [what, kind, pace] = process.argv.slice(2)
process.send?.(await (what === "flood" ? measureFlood(kind!) : measureEcho(kind!, pace!)))
process.disconnect()
