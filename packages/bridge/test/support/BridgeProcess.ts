/** The built bridge as a process of a test. */
import { makeSessionId } from "@holdfast/core"
import { type ChildProcess, spawn } from "node:child_process"
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { bridgeFile } from "./bridgeFile.ts"

/** How it ended. */
export interface BridgeExit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** A house for one bridge at a time: its folders, its session, and its environment. */
export const openBridgeHouse = async (environment: Readonly<Record<string, string>>) => {
  const program = await bridgeFile()
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "holdfast-bridge-test-")))
  const workspace = join(folder, "work")
  const home = join(folder, "home")
  const data = join(folder, "data")
  for (const each of [workspace, home]) mkdirSync(each)
  const sessionId = makeSessionId()
  const running = new Set<ChildProcess>()

  const env = {
    PATH: process.env["PATH"] ?? "",
    ...(process.env["HOLDFAST_TEST_RUN"] === undefined ? {} : { HOLDFAST_TEST_RUN: process.env["HOLDFAST_TEST_RUN"] }),
    HOME: home,
    HOLDFAST_BRIDGE_TOKEN: "hfs_token",
    HOLDFAST_BRIDGE_SESSION: sessionId,
    HOLDFAST_BRIDGE_GENERATION: "1",
    HOLDFAST_BRIDGE_DATA: data,
    HOLDFAST_WORKSPACE: workspace,
    ...environment
  }

  const start = (more: Readonly<Record<string, string>> = {}, wrap: ReadonlyArray<string> = []) => {
    const [command, ...args] = [...wrap, process.env["HOLDFAST_BRIDGE_NODE"] ?? process.execPath, program]
    const child = spawn(command!, args, { env: { ...env, ...more }, stdio: ["ignore", "ignore", "pipe"] })
    running.add(child)
    let said = ""
    let look: (() => void) | undefined
    child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      said += text
      look?.()
    })
    const exited = new Promise<BridgeExit>((resolve) => {
      child.once("close", (code, signal) => {
        running.delete(child)
        resolve({ code, signal })
      })
    })
    return {
      pid: child.pid!,
      said: () => said,
      /** Waits until it has said this; rejects where it ends without. */
      says: (text: string) =>
        new Promise<void>((resolve, reject) => {
          look = () => said.includes(text) && resolve()
          look()
          void exited.then(() => reject(new Error(`it ended without saying ${text}: ${said}`)))
        }),
      exited,
      kill: (signal: NodeJS.Signals) => child.kill(signal)
    }
  }

  return {
    program,
    folder,
    workspace,
    home,
    data,
    sessionId,
    start,
    close: async () => {
      const ends = [...running].map((child) => new Promise((resolve) => child.once("close", resolve)))
      for (const child of running) child.kill("SIGTERM")
      await Promise.all(ends)
      rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
    }
  }
}

export type BridgeHouse = Awaited<ReturnType<typeof openBridgeHouse>>
