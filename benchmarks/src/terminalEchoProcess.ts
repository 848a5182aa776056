/** The process of the terminal's benchmarks of echoes: says its figures to the one that started it. */
import { letHeapGrow } from "@holdfast/runtime"
import { measureEcho } from "./terminal.ts"

// As the examples' hosts do.
letHeapGrow()

const [kind, pace] = process.argv.slice(2)
process.send?.(await measureEcho(kind!, pace!))
process.disconnect()
