/**
 * The part of E2B's daemon that the SDK talks to inside a sandbox: a COUNTERPART for tests, run by Node inside the counterpart's
 * sandboxes, after the SDK's own generated code (`envd/process/process.proto`, envd's OpenAPI) and the published sources of
 * envd. `process.Process/Start` by the Connect protocol in JSON, `/files`, `/health`, all by a unix socket.
 *
 * Not verified against the real daemon. Not there: terminals, input, lists of processes, watching folders, multipart uploads.
 */
import { spawn } from "node:child_process"
import { createReadStream, mkdirSync, rmSync, statSync, writeFileSync } from "node:fs"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import { basename, dirname, resolve } from "node:path"

const [socket = ""] = process.argv.slice(2)
const { ENVD_TOKEN: token, HOME: home = "/" } = process.env
delete process.env["ENVD_TOKEN"]

const bodyOf = async (request: IncomingMessage) => Buffer.concat(await request.toArray())

const json = (response: ServerResponse, status: number, value: unknown) =>
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value))

const refuse = (response: ServerResponse, code: number, message: string) => json(response, code, { code, message })

/** One message of a Connect stream: flags, length, JSON. */
const envelope = (flags: number, value: unknown) => {
  const text = Buffer.from(JSON.stringify(value))
  const head = Buffer.alloc(5)
  head.writeUInt8(flags, 0)
  head.writeUInt32BE(text.length, 1)
  return Buffer.concat([head, text])
}

interface StartRequest {
  readonly process?: {
    readonly cmd?: string
    readonly args?: ReadonlyArray<string>
    readonly envs?: Record<string, string>
    readonly cwd?: string
  }
}

const start = (request: IncomingMessage, response: ServerResponse, { process: config = {} }: StartRequest): unknown => {
  response.writeHead(200, { "content-type": "application/connect+json" })
  const send = (event: unknown) => response.write(envelope(0, { event }))
  const end = (error?: { readonly code: string; readonly message: string }) =>
    response.end(envelope(2, error === undefined ? {} : { error }))
  const cwd = resolve(home, config.cwd ?? "")
  if (statSync(cwd, { throwIfNoEntry: false }) === undefined) {
    return end({ code: "invalid_argument", message: `cwd '${cwd}' does not exist` })
  }
  const child = spawn(config.cmd ?? "", config.args ?? [], {
    cwd,
    env: { PATH: process.env["PATH"], HOME: home, USER: "user", LOGNAME: "user", ...config.envs },
    stdio: ["ignore", "pipe", "pipe"]
  })
  child.once("error", ({ message }) => end({ code: "invalid_argument", message: `error starting process: ${message}` }))
  child.once("spawn", () => send({ start: { pid: child.pid } }))
  for (const name of ["stdout", "stderr"] as const) {
    child[name].on("data", (piece: Buffer) => send({ data: { [name]: piece.toString("base64") } }))
  }
  // The process goes on when whoever asked is gone, and is killed when its time is over.
  const timeout = Number(request.headers["connect-timeout-ms"] ?? 0)
  const timer = timeout > 0 ? setTimeout(() => child.kill("SIGKILL"), timeout) : undefined
  return child.once("exit", (code, signal) => {
    clearTimeout(timer)
    // What it left in its pipes; those whom it left holding them are not waited for.
    const done = () => {
      const status = signal === null ? `exit status ${code}` : `signal: ${signal}`
      send({ end: { exitCode: code ?? -1, exited: signal === null, status, ...(code === 0 ? {} : { error: status }) } })
      end()
    }
    const late = setTimeout(done, 200)
    child.once("close", () => {
      clearTimeout(late)
      if (!response.writableEnded) done()
    })
  })
}

const files = async (request: IncomingMessage, response: ServerResponse, given: string) => {
  const path = resolve(home, given)
  const found = statSync(path, { throwIfNoEntry: false })
  if (found?.isDirectory() === true) return refuse(response, 400, `path '${path}' is a directory`)
  if (request.method === "GET") {
    if (found === undefined) return refuse(response, 404, `path '${path}' does not exist`)
    response.writeHead(200, { "content-type": "application/octet-stream", "content-length": found.size })
    return createReadStream(path)
      .once("error", () => response.destroy())
      .pipe(response)
  }
  if (request.headers["content-type"] !== "application/octet-stream") {
    return refuse(response, 400, `unsupported content type: ${request.headers["content-type"]}`)
  }
  try {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, await bodyOf(request))
    return json(response, 200, [{ path, name: basename(path), type: "file" }])
  } catch (error) {
    const isFull = (error as NodeJS.ErrnoException).code === "ENOSPC"
    return refuse(response, isFull ? 507 : 500, `error writing file: ${(error as Error).message.toLowerCase()}`)
  }
}

const server = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? "/", "http://envd")
  const asked = `${request.method} ${pathname}`
  if (asked === "GET /health") return void response.writeHead(204).end()
  if (request.headers["x-access-token"] !== token) {
    return void refuse(response, 401, "unauthorized access, please provide a valid access token")
  }
  if (pathname === "/files") return void files(request, response, searchParams.get("path") ?? "")
  if (asked === "POST /process.Process/Start") {
    return void bodyOf(request).then((body) =>
      start(request, response, JSON.parse(body.subarray(5).toString()) as StartRequest)
    )
  }
  return void json(response, 404, { code: "unimplemented", message: `${asked} is not part of this counterpart` })
})
rmSync(socket, { force: true })
server.listen(socket, () => process.stdout.write("ready\n"))
