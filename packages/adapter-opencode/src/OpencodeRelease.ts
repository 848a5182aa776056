/** Which Opencode programs are supported, and where npm puts them. */
import type { AgentRelease } from "@holdfast/process"
import { readFileSync } from "node:fs"

/**
 * Whether the processor has AVX2, without which the regular build of an x64 machine dies at once. Where it cannot be told,
 * as outside Linux, it counts as there: only processors from before 2013 have none.
 */
const hasAvx2 = (): boolean => {
  try {
    return /\bavx2\b/.test(readFileSync("/proc/cpuinfo", "utf8"))
  } catch {
    return true
  }
}

const native = (): ReadonlyArray<string> => {
  const system = process.platform === "win32" ? "windows" : process.platform
  const file = process.platform === "win32" ? "opencode.exe" : "opencode"
  const regular = ["", "-musl"]
  const baseline = process.arch === "x64" ? ["-baseline", "-baseline-musl"] : []
  const builds = process.arch === "x64" && !hasAvx2() ? [...baseline, ...regular] : [...regular, ...baseline]
  return builds.map((build) => `opencode-${system}-${process.arch}${build}/bin/${file}`)
}

/**
 * Opencode as it is supported: 1.18.33, against which everything here was tested, up to but not including 1.19. An older one
 * is refused; a newer one is used, and each of its sessions notes that it was not tested.
 */
export const opencodeRelease = (): AgentRelease => ({
  name: "opencode",
  package: "opencode-ai",
  version: "1.18.33",
  oldest: "1.18.33",
  untested: "1.19.0",
  native: native()
})
