/**
 * A real git server over HTTP on the loopback interface: bare repositories behind `git http-backend`, with passwords,
 * refusals and answers that are held back. For tests of anything that clones and pushes.
 *
 * ```ts
 * await using server = await startGitServer({ credentials: { username: "ada", password: "secret" } })
 * const repository = await server.repository("app")
 * await repository.commit("main", { "README.md": "Hello" })
 * ```
 */
import { type ChildProcess, spawn } from "node:child_process"
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"

/** How the server behaves. */
export interface GitServerOptions {
  /** Wanted for every request, by HTTP basic authentication. Default: none. */
  readonly credentials?: { readonly username: string; readonly password: string }
}

/** A request, as it came in. */
export interface GitServerRequest {
  readonly method: string
  /** `/app.git/info/refs?service=git-upload-pack`. */
  readonly url: string
  readonly isAuthorised: boolean
}

/** Requests that are held back. */
export interface HeldRequests {
  /** Resolves when the first has come in. */
  readonly arrived: Promise<void>
  /** Lets them go on, and those that follow. */
  readonly release: () => void
}

/** Files of a commit by path: text, or more of them. `null` takes one away. */
export type CommittedFiles = Readonly<
  Record<
    string,
    string | null | { readonly content: string | Uint8Array; readonly mode: "100644" | "100755" | "120000" }
  >
>

/** A repository on the server. */
export interface ServedRepository {
  readonly url: string
  /** The bare repository on this machine. */
  readonly path: string
  /** Adds a commit to a branch, which is made from nothing or `from` where it is not there. Gives its name. */
  readonly commit: (
    branch: string,
    files: CommittedFiles,
    options?: { readonly message?: string; readonly from?: string }
  ) => Promise<string>
  /** Runs git in it; gives what it wrote. */
  readonly git: (...args: ReadonlyArray<string>) => Promise<string>
  /** Refuses pushes with these words, by a `pre-receive` hook; with null takes them again. */
  readonly refusePushes: (words: string | null) => Promise<void>
}

/** A server that runs. */
export interface GitServer extends AsyncDisposable {
  /** `http://127.0.0.1:49152`. */
  readonly url: string
  /** Makes an empty repository at `/<name>.git`; HEAD stands for `main`. */
  readonly repository: (
    name: string,
    options?: { readonly objectFormat?: "sha1" | "sha256" }
  ) => Promise<ServedRepository>
  /** All requests so far, at most the last 10,000. */
  readonly requests: () => ReadonlyArray<GitServerRequest>
  /** Holds back authorised requests whose URL has this in it. */
  readonly hold: (part: string) => HeldRequests
  /** Answers every request with this status; with null as usual. */
  readonly answerWith: (status: number | null, headers?: Readonly<Record<string, string>>) => void
  readonly close: () => Promise<void>
}

const maxRequests = 10_000

/** git without anything of this machine's users. */
const environment = () => ({
  PATH: process.env["PATH"] ?? "/usr/bin:/bin",
  HOME: "/nonexistent",
  LC_ALL: "C",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_AUTHOR_NAME: "Server",
  GIT_AUTHOR_EMAIL: "server@example.com",
  GIT_COMMITTER_NAME: "Server",
  GIT_COMMITTER_EMAIL: "server@example.com"
})

const runGit = (cwd: string, args: ReadonlyArray<string>, input: Uint8Array | string = ""): Promise<string> =>
  new Promise((resolve, reject) => {
    const child = spawn("git", args, { cwd, env: environment() })
    let out = ""
    let words = ""
    child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text))
    child.stderr.setEncoding("utf8").on("data", (text: string) => (words += text))
    child.once("error", reject)
    child.once("close", (code) =>
      code === 0 ? resolve(out.trim()) : reject(new Error(`git ${args.join(" ")} ended with ${code}: ${words}`))
    )
    child.stdin.on("error", () => undefined).end(input)
  })

/** Starts a server; closing it removes its repositories. */
export const startGitServer = async ({ credentials }: GitServerOptions = {}): Promise<GitServer> => {
  const folder = await mkdtemp(join(tmpdir(), "holdfast-git-server-"))
  const children = new Set<ChildProcess>()
  const requests: Array<GitServerRequest> = []
  const holds = new Set<{ readonly part: string; readonly gate: Promise<void>; readonly arrive: () => void }>()
  let refusal: { readonly status: number; readonly headers: Readonly<Record<string, string>> } | undefined
  const wanted =
    credentials === undefined
      ? undefined
      : `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString("base64")}`

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = "", url = "" } = request
    const isAuthorised = wanted === undefined || request.headers.authorization === wanted
    requests.push({ method, url, isAuthorised })
    if (requests.length > maxRequests) requests.shift()
    if (refusal !== undefined) {
      response.writeHead(refusal.status, refusal.headers).end()
      return
    }
    if (!isAuthorised) {
      response.writeHead(401, { "www-authenticate": 'Basic realm="git"' }).end()
      return
    }
    for (const hold of holds) {
      if (!url.includes(hold.part)) continue
      hold.arrive()
      await hold.gate
    }
    if (response.destroyed) return
    const child = startBackend(request, folder, credentials?.username)
    children.add(child)
    child.once("close", () => children.delete(child))
    response.once("close", () => child.kill())
    request.pipe(child.stdin)
    child.stdin.on("error", () => undefined)
    relay(child, response)
  }
  const server = createServer((request, response) => {
    answer(request, response).catch((error: Error) => response.destroy(error))
  })
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject)
    server.listen(0, "127.0.0.1", resolve)
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  const close = async () => {
    const ended = [...children].map((child) => new Promise<void>((resolve) => child.once("close", () => resolve())))
    for (const child of children) child.kill("SIGKILL")
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    server.closeAllConnections()
    await Promise.all([closed, ...ended])
    await rm(folder, { recursive: true, force: true, maxRetries: 3 })
  }
  return {
    url,
    repository: (name, { objectFormat = "sha1" } = {}) =>
      makeRepository(join(folder, `${name}.git`), `${url}/${name}.git`, objectFormat),
    requests: () => requests,
    hold: (part) => {
      const gate = Promise.withResolvers<void>()
      const arrived = Promise.withResolvers<void>()
      const hold = { part, gate: gate.promise, arrive: () => arrived.resolve() }
      holds.add(hold)
      const release = () => {
        holds.delete(hold)
        gate.resolve()
      }
      return { arrived: arrived.promise, release }
    },
    answerWith: (status, headers = {}) => {
      refusal = status === null ? undefined : { status, headers }
    },
    close,
    [Symbol.asyncDispose]: close
  }
}

/** As git-http-backend(1) and RFC 3875 (CGI) name what it is told. */
const startBackend = (request: IncomingMessage, root: string, user: string | undefined) => {
  const url = new URL(request.url ?? "/", "http://localhost")
  const header = (name: string) => request.headers[name] as string | undefined
  const told: Readonly<Record<string, string | undefined>> = {
    GIT_PROJECT_ROOT: root,
    GIT_HTTP_EXPORT_ALL: "1",
    REQUEST_METHOD: request.method,
    PATH_INFO: decodeURIComponent(url.pathname),
    QUERY_STRING: url.search.slice(1),
    CONTENT_TYPE: header("content-type"),
    CONTENT_LENGTH: header("content-length"),
    HTTP_CONTENT_ENCODING: header("content-encoding"),
    GIT_PROTOCOL: header("git-protocol"),
    REMOTE_USER: user,
    REMOTE_ADDR: "127.0.0.1"
  }
  const given = Object.fromEntries(
    Object.entries(told).filter((entry): entry is [string, string] => entry[1] !== undefined)
  )
  return spawn("git", ["http-backend"], { env: { ...environment(), ...given } })
}

/** Passes on what a CGI program answers: header lines, an empty line, the body. */
const relay = (child: ReturnType<typeof startBackend>, response: ServerResponse) => {
  let head = Buffer.alloc(0)
  const takeHead = (bytes: Buffer) => {
    head = Buffer.concat([head, bytes])
    const end = head.indexOf("\r\n\r\n")
    if (end === -1) return
    child.stdout.off("data", takeHead)
    let status = 200
    for (const line of head.subarray(0, end).toString().split("\r\n")) {
      const at = line.indexOf(":")
      const [name, value] = [line.slice(0, at), line.slice(at + 1).trim()]
      if (name.toLowerCase() === "status") status = Number.parseInt(value, 10)
      else response.setHeader(name, value)
    }
    response.writeHead(status)
    response.write(head.subarray(end + 4))
    child.stdout.pipe(response)
  }
  child.stdout.on("data", takeHead)
  child.stdout.once("end", () => response.end())
  child.stderr.resume()
}

const makeRepository = async (path: string, url: string, objectFormat: string): Promise<ServedRepository> => {
  await mkdir(dirname(path), { recursive: true })
  await runGit(dirname(path), [
    "init",
    "--quiet",
    "--bare",
    "--template=",
    `--object-format=${objectFormat}`,
    "--initial-branch=main",
    path
  ])
  await runGit(path, ["config", "http.receivepack", "true"])
  const git = (...args: ReadonlyArray<string>) => runGit(path, args)
  const hook = join(path, "hooks", "pre-receive")
  return {
    url,
    path,
    git,
    commit: async (branch, files, { from, message = "Change files" } = {}) => {
      const ref = `refs/heads/${branch}`
      const parent = await git("rev-parse", "--verify", "--quiet", ref).catch(() => from)
      await runGit(path, ["fast-import", "--quiet", "--force"], importOf(ref, parent, message, files))
      return git("rev-parse", ref)
    },
    refusePushes: async (words) => {
      if (words === null) return rm(hook, { force: true })
      await mkdir(dirname(hook), { recursive: true })
      await writeFile(hook, `#!/bin/sh\ncat >&2 <<'END'\n${words}\nEND\nexit 1\n`)
      await chmod(hook, 0o755)
    }
  }
}

/** A commit as git-fast-import(1) takes it. */
const importOf = (ref: string, parent: string | undefined, message: string, files: CommittedFiles): Buffer => {
  const data = (content: string | Uint8Array) => {
    const bytes = Buffer.from(content as string)
    return Buffer.concat([Buffer.from(`data ${bytes.byteLength}\n`), bytes, Buffer.from("\n")])
  }
  const quoted = (path: string) => `"${path.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`
  const parts = [
    Buffer.from(`commit ${ref}\ncommitter Server <server@example.com> ${Math.floor(Date.now() / 1_000)} +0000\n`),
    data(message),
    Buffer.from(parent === undefined ? "" : `from ${parent}\n`)
  ]
  for (const [path, file] of Object.entries(files)) {
    if (file === null) parts.push(Buffer.from(`D ${quoted(path)}\n`))
    else {
      const { content, mode } = typeof file === "string" ? { content: file, mode: "100644" } : file
      parts.push(Buffer.from(`M ${mode} inline ${quoted(path)}\n`), data(content))
    }
  }
  return Buffer.concat(parts)
}
