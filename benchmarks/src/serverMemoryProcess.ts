/** The process of the server's memory benchmarks: says its figure to the one that started it. */
import { measureMemory, type MemoryKind } from "./serverMemory.ts"

process.send?.(await measureMemory(process.argv[2] as MemoryKind))
process.disconnect()
