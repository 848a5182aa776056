import type { SessionId } from "@holdfast/core"
import { makeSessionId } from "@holdfast/core"
import { Effect } from "effect"
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { setImmediate } from "node:timers/promises"
import { describe, expect, onTestFinished, test } from "vitest"
import { noCredentials, prepareWorkspace, tokenCredentials } from "../src/index.ts"
import { processIds, visibleTexts } from "./support/processes.ts"
import { gitIn, temporaryFolder } from "./support/workTree.ts"
import { failureOf, newFolder, optionsOf, serverOfTest } from "./support/workspaces.ts"

/** Not to be found anywhere by accident, and different in each run. */
const makeSecret = () => `s3cret-${crypto.randomUUID()}`

/** What is there; undefined for what git has removed meanwhile. */
const unlessGone = <A>(read: () => A): A | undefined => {
  try {
    return read()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error
    return undefined
  }
}

/** All that is in files below a folder, and their names. */
const textsBelow = (folder: string): ReadonlyArray<string> =>
  (unlessGone(() => readdirSync(folder, { withFileTypes: true })) ?? []).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return [path, ...textsBelow(path)]
    return entry.isFile() ? [path, unlessGone(() => readFileSync(path, "latin1")) ?? ""] : [path]
  })

describe("credentials", () => {
  test("are asked for once in an operation, when the server wants them, and for what the operation does", async () => {
    const password = makeSecret()
    const server = await serverOfTest({ credentials: { username: "ada", password } })
    const repository = await server.repository("app")
    await repository.commit("main", { file: "1" })
    const { asked, options } = optionsOf({ username: "ada", password })
    const folder = newFolder()
    const workspace = await Effect.runPromise(prepareWorkspace(folder, { repository: repository.url }, options))
    expect(asked).toEqual([{ operation: "fetch", repository: repository.url }])
    writeFileSync(join(folder, "file"), "2")
    await Effect.runPromise(workspace.commit("Two"))
    await Effect.runPromise(workspace.push())
    expect(asked.slice(1)).toEqual([{ operation: "push", repository: repository.url }])

    const open = await serverOfTest()
    const free = await open.repository("app")
    await free.commit("main", { file: "1" })
    const { asked: unasked, options: others } = optionsOf({ username: "ada", password })
    await Effect.runPromise(prepareWorkspace(newFolder(), { repository: free.url }, others))
    expect(unasked).toEqual([])
  })

  test("are in no process's arguments or environment, in no file, and in nothing that is told", async () => {
    const password = makeSecret()
    const encoded = Buffer.from(`ada:${password}`).toString("base64")
    const server = await serverOfTest({ credentials: { username: "ada", password } })
    const repository = await server.repository("app")
    await repository.commit("main", { file: "1" })
    // The server repeats them: as a careless hook or proxy does.
    await repository.refusePushes(`You said ${password}, or ${encoded}.`)
    const place = temporaryFolder()
    const told: Array<string> = []
    const { options } = optionsOf(
      { username: "ada", password },
      {
        env: { ...process.env, TMPDIR: place, GIT_TRACE_CURL: "1", GIT_TRACE: "2" },
        onProgress: (line) => Effect.sync(() => told.push(line))
      }
    )

    // What ran before knows nothing of it.
    const known = new Set(processIds())
    let scans = 0
    const look = () => {
      scans++
      const texts = [...visibleTexts(known), ...textsBelow(place)]
      return texts.filter((text) => text.includes(password) || text.includes(encoded)).map((text) => text.slice(0, 500))
    }
    /** Runs it with the server's authorised answers held back, and looks while git has the credentials and after. */
    const watched = async <A>(part: string, run: () => Promise<A>): Promise<A> => {
      const held = server.hold(part)
      const running = run()
      await held.arrived
      // The one that has them now is among those that are looked at.
      expect(visibleTexts(known).some((text) => text.includes("remote-http"))).toBe(true)
      expect(look()).toEqual([])
      held.release()
      const isOver = running.then(
        () => true,
        () => true
      )
      while (!(await Promise.race([isOver, setImmediate(false)]))) expect(look()).toEqual([])
      return running
    }
    const folder = join(place, "work")
    const spec = { repository: repository.url }
    const workspace = await watched("git-upload-pack", () => Effect.runPromise(prepareWorkspace(folder, spec, options)))
    writeFileSync(join(folder, "file"), "2")
    await Effect.runPromise(workspace.commit("Two"))
    const error = await watched("git-receive-pack", () => failureOf(workspace.push()))

    expect(error).toMatchObject({ _tag: "PushRefused", refusal: "declined" })
    expect(error.message).toContain("You said ***, or ***.")
    told.push(error.message, JSON.stringify(error))
    expect(told.filter((text) => text.includes(password) || text.includes(encoded))).toEqual([])
    expect(scans).toBeGreaterThan(3)
    // No private folder is left either.
    expect(readdirSync(place)).toEqual(["work"])
  })

  test("are kept from whatever the agent has configured in the repository", async () => {
    const password = makeSecret()
    const server = await serverOfTest({ credentials: { username: "ada", password } })
    const repository = await server.repository("app")
    await repository.commit("main", { file: "1" })
    const { options } = optionsOf({ username: "ada", password })
    const folder = newFolder()
    const spec = { repository: repository.url }
    const workspace = await Effect.runPromise(prepareWorkspace(folder, spec, options))

    const taken = join(temporaryFolder(), "taken")
    const hooks = join(folder, ".git", "hooks")
    mkdirSync(hooks)
    const thief = join(hooks, "pre-push")
    writeFileSync(thief, `#!/bin/sh\nenv > '${taken}'; cat <&3 >> '${taken}'\n`)
    for (const name of ["post-checkout", "pre-commit", "post-commit", "reference-transaction"]) {
      writeFileSync(join(hooks, name), readFileSync(thief))
    }
    for (const name of readdirSync(hooks)) chmodSync(join(hooks, name), 0o755)
    const settings = {
      "core.hooksPath": hooks,
      "core.fsmonitor": thief,
      "core.askPass": thief,
      "core.sshCommand": thief,
      "credential.helper": `!f() { cat >> '${taken}'; }; f`,
      "http.proxy": "http://127.0.0.1:1",
      "url.http://127.0.0.1:1/.insteadOf": server.url,
      "remote.origin.pushurl": "http://127.0.0.1:1/",
      "push.gpgSign": "true",
      "gpg.program": thief,
      "commit.gpgSign": "true",
      "http.extraHeader": "Authorization: Basic AAAA"
    }
    for (const [name, value] of Object.entries(settings)) gitIn(folder, "config", name, value)
    writeFileSync(join(folder, "file"), "2")
    const sha = await Effect.runPromise(workspace.commit("Two"))
    await Effect.runPromise(workspace.push())
    await Effect.runPromise(prepareWorkspace(folder, spec, options))
    expect(await repository.git("rev-parse", workspace.branch)).toBe(sha)
    expect(existsSync(taken)).toBe(false)
  })

  test("are not given to a server that the repository's redirects to", async () => {
    const password = makeSecret()
    const other = await serverOfTest({ credentials: { username: "ada", password } })
    const repository = await other.repository("app")
    await repository.commit("main", { file: "1" })
    const first = createServer((request, response) =>
      response.writeHead(301, { location: `${other.url}${request.url ?? ""}` }).end()
    )
    await new Promise<void>((resolve) => first.listen(0, "127.0.0.1", resolve))
    onTestFinished(() => void first.close())
    const url = `http://127.0.0.1:${(first.address() as AddressInfo).port}/app.git`
    const { asked, options } = optionsOf({ username: "ada", password })
    const error = await failureOf(prepareWorkspace(newFolder(), { repository: url }, options))
    expect(error).toMatchObject({ failure: "credentials_refused" })
    expect(error.detail).toContain("another server")
    expect(asked).toEqual([])
    expect(other.requests().filter(({ isAuthorised }) => isAuthorised)).toEqual([])
  })
})

describe("tokenCredentials", () => {
  const sessionId: SessionId = makeSessionId()
  const ask = (broker: ReturnType<typeof tokenCredentials>, repository: string) =>
    Effect.runPromise(broker.credentials({ sessionId, operation: "fetch", repository }))

  test("gives a token to what is below its URL, and to nothing beside it", async () => {
    const broker = tokenCredentials({
      "https://github.com": "all",
      "https://github.com/acme": "acme",
      "https://github.com/acme/app": { username: "bot", password: "app" },
      "http://127.0.0.1:8080/git/": "local"
    })
    const cases = {
      "https://github.com/acme/app.git": "app",
      "https://github.com/acme/app": "app",
      "https://github.com/acme/app2.git": "acme",
      "https://github.com/acme2/app.git": "all",
      "https://GitHub.com:443/acme/x.git": "acme",
      "https://github.com/acme2/%2e%2e/acme/app.git": "app",
      "https://github.com/x/..%2facme/app.git": undefined,
      "http://github.com/acme/app.git": undefined,
      "https://github.com.evil.example/acme/app.git": undefined,
      "https://github.com:444/acme/app.git": undefined,
      "http://127.0.0.1:8080/git/a.git": "local",
      "http://127.0.0.1:8080/gitx/a.git": undefined,
      "/acme/app.git": undefined
    }
    for (const [repository, password] of Object.entries(cases)) {
      expect({ repository, password: (await ask(broker, repository))?.password }).toEqual({ repository, password })
    }
    expect(await ask(broker, "https://github.com/acme/app.git")).toEqual({ username: "bot", password: "app" })
    expect((await ask(broker, "https://github.com/acme/x.git"))?.username).toBe("x-access-token")
    expect(await ask(noCredentials, "https://github.com/acme/app.git")).toBeNull()
  })

  test("refuses URLs that could not be meant, without repeating them", () => {
    for (const url of ["github.com", "ssh://github.com", "https://ada:secret@github.com", "https://github.com/?a=b"]) {
      expect(() => tokenCredentials({ [url]: "token" })).toThrow(TypeError)
      expect(() => tokenCredentials({ [url]: "token" })).not.toThrow(/secret/)
    }
  })
})
