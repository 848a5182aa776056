/** The process of the idle sessions' memory benchmark: says its figure to the one that started it. */
import { measureIdle } from "./terminal.ts"

process.send?.(await measureIdle(process.argv[2] === "ours" ? "ours" : "bare"))
process.disconnect()
