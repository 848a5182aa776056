/** The process of the server's benchmarks of keystrokes: says its figures to the one that started it. */
import { letHeapGrow } from "@holdfast/runtime"
import { measureKeystrokes } from "./serverKeystroke.ts"

// As the examples' hosts do.
letHeapGrow()

const [kind, pace, beside] = process.argv.slice(2)
process.send?.(await measureKeystrokes(kind!, pace!, beside === "flooding"))
process.disconnect()
