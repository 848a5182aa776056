/**
 * A sandbox of the E2B COUNTERPART for tests: real processes in a process namespace and a home of their own (bubblewrap), in
 * the place of E2B's virtual machine, with {@link file://./envd.ts} in it. `/home/user` and `/tmp` are its own, the rest of
 * the file system is this machine's, read-only, and so are network and kernel.
 *
 * What a virtual machine has and this has not: memory in snapshots (see {@link Daemon}), limits, `sudo`.
 */
import { type ProcessIdentity, promises } from "@holdfast/process"
import { type ChildProcess, spawn } from "node:child_process"
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const repository = join(import.meta.dirname, "../../../..")
const daemon = fileURLToPath(new URL("envd.ts", import.meta.url))

/** What is stored of a file system. */
export const storedFolders = ["home", "tmp"] as const

/**
 * A process that nobody inside waits for. A virtual machine's snapshot has it in its memory and it goes on in what is restored;
 * here the same program is started again with the same environment, which is as near as processes come to that.
 */
export interface Daemon {
  readonly argv: ReadonlyArray<string>
  readonly env: Readonly<Record<string, string>>
}

/** A sandbox that runs. */
export interface CounterpartSandbox {
  /** Of its daemon. */
  readonly socket: string
  /** Stores its files into a folder; all of its processes stand still meanwhile. Gives its daemons, see {@link Daemon}. */
  readonly store: (folder: string) => Promise<ReadonlyArray<Daemon>>
  /** Ends all of its processes and removes its files. */
  readonly kill: () => Promise<void>
}

/** The variable by which the processes of all sandboxes of this process are found: its value is our pid. */
export const counterpartMarker = "HOLDFAST_TEST_E2B"

/** The variable by which those of one are. */
const idMarker = "HOLDFAST_TEST_E2B_ID"

const marker = (id: string) => `${idMarker}=${id}`

/** Starts one, with the files of a stored one. */
export const startCounterpartSandbox = async (
  id: string,
  token: string,
  from: string | undefined
): Promise<CounterpartSandbox> => {
  const folder = mkdtempSync(join(tmpdir(), "hf-e2b-"))
  if (from !== undefined) copy(from, folder)
  for (const each of [...storedFolders, "run"]) mkdirSync(join(folder, each), { recursive: true })
  const namespaces = ["--die-with-parent", "--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts"]
  const identity = ["--uid", "1000", "--gid", "1000", "--hostname", id]
  const shared = ["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"]
  const own = ["--tmpfs", "/home", "--bind", join(folder, "home"), "/home/user", "--bind", join(folder, "tmp"), "/tmp"]
  const socket = ["--tmpfs", "/run", "--bind", join(folder, "run"), "/run/envd"]
  const ours = ["--ro-bind", repository, repository, "--ro-bind", process.execPath, process.execPath]
  const program = ["--chdir", "/home/user", "--", process.execPath, daemon, "/run/envd/envd.sock"]
  const child = spawn("bwrap", [...namespaces, ...identity, ...shared, ...own, ...socket, ...ours, ...program], {
    env: {
      PATH: "/usr/local/bin:/usr/bin:/bin",
      HOME: "/home/user",
      ENVD_TOKEN: token,
      [counterpartMarker]: String(process.pid),
      [idMarker]: id,
      HOLDFAST_TEST_RUN: process.env["HOLDFAST_TEST_RUN"]
    },
    stdio: ["ignore", "pipe", "inherit"]
  })
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()))
  await ready(child)
  const members = () => promises.tree({ variables: [marker(id)] })
  /** All but bubblewrap itself, which writes nothing. What is started meanwhile is found in the next round. */
  const stop = async (stopped: Map<number, ProcessIdentity>) => {
    const others = (await members()).filter(({ pid }) => pid !== child.pid && !stopped.has(pid))
    for (const other of others) {
      stopped.set(other.pid, other)
      await promises.signalProcess(other, "SIGSTOP")
    }
    if (others.length > 0) await stop(stopped)
  }
  return {
    socket: join(folder, "run/envd.sock"),
    store: async (to) => {
      const stopped = new Map<number, ProcessIdentity>()
      try {
        await stop(stopped)
        const pids = (await members()).map(({ pid }) => pid)
        const init = pids.find((pid) => parentOf(pid) === child.pid)
        for (const each of storedFolders) copy(join(folder, each), join(to, each))
        // Its first process has the sandbox's own daemon for a child, and whatever was left by its parent.
        return pids.filter((pid) => parentOf(pid) === init && !wordsOf(pid, "cmdline").includes(daemon)).map(daemonOf)
      } finally {
        for (const each of stopped.values()) await promises.signalProcess(each, "SIGCONT")
      }
    },
    kill: async () => {
      await promises.terminateTree({ variables: [marker(id)] }, { graceMs: 0 })
      child.kill("SIGKILL")
      await exited
      rmSync(folder, { recursive: true, force: true })
    }
  }
}

const copy = (from: string, to: string) =>
  cpSync(from, to, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true })

const parentOf = (pid: number) => Number(/\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))![1])

const wordsOf = (pid: number, file: "cmdline" | "environ") =>
  readFileSync(`/proc/${pid}/${file}`, "utf8").split("\0").slice(0, -1)

const daemonOf = (pid: number): Daemon => ({
  argv: wordsOf(pid, "cmdline"),
  env: Object.fromEntries(
    wordsOf(pid, "environ").map((entry) => [entry.split("=", 1)[0]!, entry.slice(entry.indexOf("=") + 1)])
  )
})

const ready = (child: ChildProcess): Promise<void> =>
  new Promise((resolve, reject) => {
    child.once("error", reject)
    child.once("exit", (code) => reject(new Error(`the counterpart's sandbox ended with ${code}`)))
    child.stdout!.once("data", () => resolve())
  })
