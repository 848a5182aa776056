/**
 * What is run inside a sandbox for each call: E2B's own way of running commands goes through a login shell, gives text in the
 * place of bytes, keeps all output, and ends one process of many.
 *
 * The program is plain JavaScript for the Node inside, handed over as `node -e`. It is told what to do by the variable
 * {@link guestVariable}, JSON in base64 or `@` and the path of a file with the JSON, which it removes; and answers with the last line of its output that begins with {@link guestAnswer}:
 * a login shell may have said something before.
 */

/** The variable with what is asked. */
export const guestVariable = "HOLDFAST_GUEST"

/** How an answer begins: no text that a shell's profile prints. */
export const guestAnswer = "\u001eholdfast "

/** Marks whatever runs for the bridge of a sandbox: its value is the sandbox's name. A snapshot keeps processes too. */
export const sandboxMarker = "HOLDFAST_SANDBOX"

/** Marks whatever one run started. */
export const runMarker = "HOLDFAST_EXEC"

/** What is asked. */
export type GuestTask =
  | {
      readonly do: "exec"
      readonly id: string
      readonly command: string
      readonly args: ReadonlyArray<string>
      readonly cwd: string
      readonly env: Readonly<Record<string, string>>
      /** A file to read from, which is removed. */
      readonly stdin?: string
      readonly timeoutMs: number
      readonly maxOutputBytes: number
    }
  /** Ends whatever a run started. */
  | { readonly do: "reap"; readonly id: string }
  /**
   * Ends what runs for another sandbox (a snapshot brought it along), and starts the bridge unless it runs. The node is asked
   * for its version only where it runs the bridge.
   */
  | {
      readonly do: "start"
      readonly sandbox: string
      readonly words: ReadonlyArray<string>
      readonly cwd: string
      /** Has the bridge's log, what it printed since it was last started (`bridge.log`), and who it is (`bridge.json`). */
      readonly data: string
      readonly env: Readonly<Record<string, string>>
      readonly leastNode?: readonly [major: number, minor: number]
    }
  /** Whether the bridge was started in this sandbox, and whether it runs. */
  | { readonly do: "look"; readonly sandbox: string; readonly data: string }

/**
 * Its text. Bounds: of output it keeps what was asked for, processes are ended within 5 s, an exit is waited for 500 ms after
 * the bridge was started, and what it left in its pipes for 2 s.
 */
export const guestProgram = `
const { spawn } = require("node:child_process")
const fs = require("node:fs")
const told = process.env.${guestVariable}
delete process.env.${guestVariable}
const task = JSON.parse(told.startsWith("@") ? fs.readFileSync(told.slice(1)) : Buffer.from(told, "base64"))
if (told.startsWith("@")) fs.unlinkSync(told.slice(1))
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
const read = (path) => { try { return fs.readFileSync(path, "latin1") } catch { return "" } }
const answer = (value) => process.stdout.write("\\n${"\\u001e"}holdfast " + JSON.stringify(value) + "\\n", () => process.exit(0))

const processes = () => fs.readdirSync("/proc").filter((name) => /^[0-9]+$/.test(name)).flatMap((name) => {
  const stat = read("/proc/" + name + "/stat")
  const [state, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  return stat === "" || state === "Z" ? [] : [{ pid: Number(name), parent: Number(parent), env: read("/proc/" + name + "/environ").split("\\0") }]
})

const reap = async (isMarked) => {
  for (let round = 0; round < 100; round++) {
    const all = processes()
    const doomed = new Set(all.filter(({ env }) => isMarked(env)).map(({ pid }) => pid))
    for (let size = -1; size !== doomed.size; ) {
      size = doomed.size
      for (const { pid, parent } of all) if (doomed.has(parent)) doomed.add(pid)
    }
    for (let pid = process.pid; pid > 0; pid = all.find((each) => each.pid === pid)?.parent ?? 0) doomed.delete(pid)
    if (doomed.size === 0) return true
    for (const pid of doomed) try { process.kill(pid, "SIGKILL") } catch {}
    await sleep(50)
  }
  return false
}

const keep = (stream, limit) => {
  const kept = { pieces: [], size: 0, truncated: false }
  stream.on("data", (piece) => {
    const room = limit - kept.size
    if (piece.length > room) kept.truncated = true
    if (room <= 0) return
    kept.pieces.push(Buffer.from(piece.subarray(0, room)))
    kept.size += Math.min(piece.length, room)
  })
  return kept
}

const exec = async () => {
  let stdin = "ignore"
  if (task.stdin !== undefined) {
    stdin = fs.openSync(task.stdin)
    fs.unlinkSync(task.stdin)
  }
  if (!fs.statSync(task.cwd, { throwIfNoEntry: false })?.isDirectory()) return answer({ problem: "there is no folder " + task.cwd })
  const child = spawn(task.command, task.args, {
    cwd: task.cwd,
    env: { ...process.env, ...task.env, ${runMarker}: task.id },
    detached: true,
    stdio: [stdin, "pipe", "pipe"]
  })
  const [out, err] = [keep(child.stdout, task.maxOutputBytes), keep(child.stderr, task.maxOutputBytes)]
  const closed = new Promise((resolve) => child.once("close", resolve))
  const ended = await new Promise((resolve) => {
    // What a shell says of a program that is not there, or is none.
    child.once("error", (error) => {
      err.pieces.push(Buffer.from(error.message + "\\n"))
      resolve({ exitCode: error.code === "ENOENT" ? 127 : 126, timedOut: false })
    })
    child.once("exit", (code) => resolve({ exitCode: code, timedOut: false }))
    setTimeout(() => resolve({ exitCode: null, timedOut: true }), task.timeoutMs)
  })
  await reap((env) => env.includes("${runMarker}=" + task.id))
  await Promise.race([closed, sleep(2000)])
  const text = (kept) => Buffer.concat(kept.pieces).toString("base64")
  answer({ ...ended, stdout: text(out), stderr: text(err), truncated: out.truncated || err.truncated })
}

const bridgeFile = () => task.data + "/bridge.json"
const startOf = (pid) => { const stat = read("/proc/" + pid + "/stat"); return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] }
const bridgeHere = () => {
  try {
    const { sandbox, pid, start } = JSON.parse(read(bridgeFile()))
    if (sandbox !== task.sandbox) return { begun: false, runs: false }
    const state = /\\) (\\S)/.exec(read("/proc/" + pid + "/stat"))?.[1]
    return { begun: true, runs: state !== undefined && state !== "Z" && startOf(pid) === start }
  } catch { return { begun: false, runs: false } }
}

const start = async () => {
  const [major, minor] = process.versions.node.split(".").map(Number)
  const [leastMajor, leastMinor] = task.leastNode ?? [0, 0]
  if (major < leastMajor || (major === leastMajor && minor < leastMinor)) {
    return answer({ problem: "the template has Node " + process.version + ", and the bridge needs " + task.leastNode.join(".") + " or newer" })
  }
  const isStale = (env) => env.some((entry) => entry.startsWith("${sandboxMarker}=") && entry !== "${sandboxMarker}=" + task.sandbox)
  if (!(await reap(isStale))) return answer({ problem: "processes that the snapshot brought along could not be ended" })
  if (bridgeHere().runs) return answer({ started: true })
  for (const folder of [task.cwd, task.data]) fs.mkdirSync(folder, { recursive: true, mode: 0o700 })
  const logFile = task.data + "/bridge.log"
  const log = fs.openSync(logFile, "w", 0o600)
  const child = spawn(task.words[0], task.words.slice(1), {
    cwd: task.cwd,
    env: { ...process.env, ...task.env, ${sandboxMarker}: task.sandbox },
    detached: true,
    stdio: ["ignore", log, log]
  })
  const problem = await new Promise((resolve) => {
    child.once("error", (error) => resolve(error.message))
    child.once("exit", (code, signal) => resolve("it ended at once with " + (signal ?? "exit code " + code)))
    setTimeout(() => resolve(undefined), 500)
  })
  if (problem !== undefined) {
    return answer({ problem: "the bridge could not be started: " + problem + " " + read(logFile).slice(-2000).trim() })
  }
  fs.writeFileSync(bridgeFile(), JSON.stringify({ sandbox: task.sandbox, pid: child.pid, start: startOf(child.pid) }))
  answer({ started: true })
}

const run = {
  exec,
  start,
  reap: async () => answer({ reaped: await reap((env) => env.includes("${runMarker}=" + task.id)) }),
  look: async () => answer(bridgeHere())
}
run[task.do]().catch((error) => answer({ problem: String(error) }))
`
