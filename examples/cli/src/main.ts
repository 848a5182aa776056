/** The entry point: runs the command line, and ends with its exit code. */
import { enableCompileCache } from "node:module"
import { homedir } from "node:os"
import { join } from "node:path"

// Half of a short command's time is compiling what it imports: kept from one to the next, in the user's own cache.
enableCompileCache(join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "holdfast", "compiled"))
await import("./cliProcess.ts")
