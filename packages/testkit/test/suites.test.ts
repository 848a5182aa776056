import { execFile } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { beforeAll, describe, expect, it } from "vitest"
import { backendFaults } from "./faulty/backendFaults.ts"
import { type Fault, titleOf } from "./faulty/Fault.ts"
import { logFaults } from "./faulty/logFaults.ts"
import { sandboxFaults } from "./faulty/sandboxFaults.ts"

/** What vitest's JSON says of a test. */
interface Judged {
  readonly fullName: string
  readonly status: string
  readonly failureMessages: ReadonlyArray<string>
}

const folderOfFaults = fileURLToPath(new URL("./faulty", import.meta.url))
const vitest = join(dirname(createRequire(import.meta.url).resolve("vitest/package.json")), "vitest.mjs")

const literally = (text: string) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")

const faults = { backends: backendFaults, logs: logFaults, "sandbox providers": sandboxFaults }

/** Runs the tests that the faults break, in a vitest of their own: a suite registers its tests with the one that runs it. */
const judge = async (folder: string): Promise<ReadonlyArray<Judged>> => {
  const wanted = Object.values(faults)
    .flat()
    .map((fault) => `one that ${literally(fault.name)} .*${literally(fault.breaks)}`)
  const report = join(folder, "report.json")
  const args = ["run", "--config", "vitest.config.ts", "--testNamePattern", wanted.join("|")]
  const said = await new Promise<string>((resolve) =>
    execFile(
      process.execPath,
      [vitest, ...args, "--reporter=json", `--outputFile=${report}`],
      { cwd: folderOfFaults, maxBuffer: 64 * 1024 * 1024 },
      (_, stdout, stderr) => resolve(stdout + stderr)
    )
  )
  if (!existsSync(report)) throw new Error(`vitest made no report: ${said}`)
  const { testResults } = JSON.parse(readFileSync(report, "utf8")) as {
    readonly testResults: ReadonlyArray<{ readonly assertionResults: ReadonlyArray<Judged> }>
  }
  return testResults.flatMap(({ assertionResults }) => assertionResults)
}

/** Milliseconds for all suites: 20 s on an idle machine, most of them waits for what does not happen. */
const judgeTimeout = 240_000

let all: ReadonlyArray<Judged> = []
beforeAll(async () => {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-suites-"))
  try {
    all = await judge(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}, judgeTimeout)

const judged = (fault: Fault, isFaulty: boolean) => {
  const title = `${titleOf(fault, isFaulty)} `
  const found = all.filter((one) => one.fullName.startsWith(title) && one.fullName.includes(fault.breaks))
  expect({ demanded: fault.breaks, tests: found.length }).not.toEqual({ demanded: fault.breaks, tests: 0 })
  return found
}

for (const [what, list] of Object.entries(faults)) {
  describe(`The conformance suite of ${what}`, () => {
    it.each(list)("fails one that $name", (fault) => {
      for (const sound of judged(fault, false)) expect(sound).toMatchObject({ status: "passed" })
      const failed = judged(fault, true).filter(({ status }) => status === "failed")
      expect(failed.flatMap(({ failureMessages }) => failureMessages).join("\n")).toMatch(fault.says)
    })
  })
}
