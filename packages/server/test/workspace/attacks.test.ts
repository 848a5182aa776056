import { assert, describe, it } from "@effect/vitest"
import { execFileSync } from "node:child_process"
import { once } from "node:events"
import { mkdir, readdir, readFile, readlink, symlink, writeFile } from "node:fs/promises"
import { createServer } from "node:net"
import { join } from "node:path"
import { Worker } from "node:worker_threads"
import { openWorkspace, ways } from "./openWorkspace.ts"
import { WorkspaceError } from "../../src/workspace/Workspace.ts"

type Lab = Awaited<ReturnType<typeof openWorkspace>>

/** Every way of touching a path. */
const touches = (lab: Lab, path: string) => [
  lab.files.facts(path),
  lab.files.list(path),
  lab.read(path),
  lab.write(path, "written"),
  lab.write(path, "written", { createDirectories: true }),
  lab.files.createDirectory(path),
  lab.files.remove(path, { recursive: true })
]

const keepSecret = async (lab: Lab) => {
  await writeFile(join(lab.outside, "secret"), "secret")
  await mkdir(join(lab.outside, "deep"))
}

const isUntouched = async (lab: Lab) => {
  assert.deepStrictEqual((await readdir(lab.outside)).toSorted(), ["deep", "secret"])
  assert.strictEqual(await readFile(join(lab.outside, "secret"), "utf8"), "secret")
  assert.deepStrictEqual(await readdir(join(lab.outside, "deep")), [])
}

describe.each(ways)("nobody gets out of a workspace, reached %s,", (_way, open) => {
  it("by a path that climbs, is absolute, or is no text of a name", async () => {
    await using lab = await openWorkspace(open)
    await keepSecret(lab)
    await mkdir(join(lab.path, "a"))
    for (const path of [
      "..",
      "../outside/secret",
      "a/../../outside/secret",
      "a/..",
      "./../outside",
      "a//..//..//outside",
      "/etc/passwd",
      "//etc/passwd",
      join(lab.outside, "secret"),
      join(lab.path, "a"),
      "secret\0.txt",
      "\ud800",
      "a/".repeat(3_000),
      "x".repeat(5_000)
    ]) {
      for (const touch of touches(lab, path)) assert.strictEqual(await lab.reasonOf(touch), "invalid", path)
    }
    assert.strictEqual(await lab.reasonOf(lab.read("x".repeat(300))), "invalid")
    await isUntouched(lab)
  })

  it("by a path that is encoded once more: it is a name like any other", async () => {
    await using lab = await openWorkspace(open)
    await keepSecret(lab)
    for (const path of [
      "%2e%2e/outside/secret",
      "..%2foutside%2fsecret",
      "%2Fetc%2Fpasswd",
      "..\\outside\\secret",
      "~/x"
    ]) {
      assert.strictEqual(await lab.reasonOf(lab.read(path)), process.platform === "win32" ? "invalid" : "not_found")
    }
    await lab.run(lab.write("..%2foutside", "a file"))
    assert.deepStrictEqual(await readdir(lab.path), ["..%2foutside"])
    await isUntouched(lab)
  })

  it("by a link, at the end, on the way, or by way of others", async () => {
    await using lab = await openWorkspace(open)
    await keepSecret(lab)
    await mkdir(join(lab.path, "a"))
    for (const [name, target] of [
      ["absolute", join(lab.outside, "secret")],
      ["climbing", "../outside/secret"],
      ["a/climbing", "../../outside/secret"],
      ["directory", lab.outside],
      ["through", "climbing"],
      ["inAndOut", "a/../../outside/secret"],
      ["missing", "../outside/made"],
      ["above", ".."],
      ["root", "/"],
      ["prefix", `${lab.path}-other/x`],
      ["backAgain", "../inside/a"]
    ] as const) {
      await symlink(target, join(lab.path, name))
      // Removing takes the link away, and nothing else, so it is not among what must fail.
      for (const touch of touches(lab, name).slice(0, -1))
        assert.strictEqual(await lab.reasonOf(touch), "outside", name)
    }
    for (const path of [
      "directory/secret",
      "directory/deep",
      "above/outside/secret",
      "root/etc/passwd",
      "above/inside/a"
    ]) {
      for (const touch of touches(lab, path)) assert.strictEqual(await lab.reasonOf(touch), "outside", path)
    }
    for (const name of ["directory", "absolute", "missing"]) await lab.run(lab.files.remove(name, { recursive: true }))
    await lab.run(lab.files.remove("a", { recursive: true }))
    await isUntouched(lab)
  })

  it("by /proc, which turns names into anything", async () => {
    await using lab = await openWorkspace(open)
    await keepSecret(lab)
    for (const [name, target] of [
      ["self", "/proc/self/root"],
      ["cwd", "/proc/self/cwd"],
      ["fd", "/proc/self/fd/0"],
      ["environment", "/proc/self/environ"]
    ] as const) {
      await symlink(target, join(lab.path, name))
      for (const touch of touches(lab, name).slice(0, -1))
        assert.strictEqual(await lab.reasonOf(touch), "outside", name)
      assert.strictEqual(await lab.reasonOf(lab.read(`${name}/etc/passwd`)), "outside")
    }
  })

  it("while links that stay inside work, absolute ones too, and one that goes round is refused", async () => {
    await using lab = await openWorkspace(open)
    await mkdir(join(lab.path, "a/b"), { recursive: true })
    await writeFile(join(lab.path, "a/file"), "inside")
    await symlink("a/b/../file", join(lab.path, "relative"))
    await symlink("../../a/file", join(lab.path, "a/b/up"))
    await mkdir(join(lab.path, "elsewhere/e"), { recursive: true })
    await symlink("../elsewhere/e", join(lab.path, "a/linked"))
    await writeFile(join(lab.path, "elsewhere/file"), "inside")
    // As the system has it: above what the link leads to, not above the link.
    await symlink("linked/../file", join(lab.path, "a/above"))
    await symlink(".", join(lab.path, "a/here"))
    await symlink("..", join(lab.path, "a/parent"))
    await symlink(join(lab.path, "a"), join(lab.path, "absolute"))
    await symlink(lab.path, join(lab.path, "root"))
    for (const path of [
      "relative",
      "a/b/up",
      "a/above",
      "a/here/here/file",
      "a/parent/a/file",
      "absolute/file",
      "root/root/absolute/b/up"
    ]) {
      assert.strictEqual((await lab.run(lab.read(path))).content.toString(), "inside", path)
    }
    assert.strictEqual((await lab.run(lab.files.list("a/parent"))).total, 5)
    assert.strictEqual((await lab.run(lab.files.list("a/here"))).total, 6)
    await lab.run(lab.write("relative", "changed"))
    assert.strictEqual(await readFile(join(lab.path, "a/file"), "utf8"), "changed")
    assert.strictEqual(await readlink(join(lab.path, "relative")), "a/b/../file")
    await symlink("a/new", join(lab.path, "dangling"))
    assert.strictEqual(await lab.reasonOf(lab.read("dangling")), "not_found")
    await lab.run(lab.write("dangling", "new"))
    assert.strictEqual(await readFile(join(lab.path, "a/new"), "utf8"), "new")

    await symlink("round", join(lab.path, "round"))
    await symlink("two", join(lab.path, "one"))
    await symlink("one/x", join(lab.path, "two"))
    for (const path of ["round", "one", "two/y"]) assert.strictEqual(await lab.reasonOf(lab.read(path)), "invalid")
    for (let index = 0; index < 41; index++) await symlink(`chain${index + 1}`, join(lab.path, `chain${index}`))
    await writeFile(join(lab.path, "chain41"), "end")
    assert.strictEqual((await lab.run(lab.read("chain1"))).content.toString(), "end")
    assert.strictEqual(await lab.reasonOf(lab.read("chain0")), "invalid")
  })

  it("nor waits at a pipe, a socket or a device", async () => {
    await using lab = await openWorkspace(open)
    execFileSync("mkfifo", [join(lab.path, "pipe")])
    const server = createServer().listen(join(lab.path, "socket"))
    await once(server, "listening")
    try {
      const names = ["pipe", "socket"]
      if (process.getuid?.() === 0) {
        execFileSync("mknod", [join(lab.path, "zero"), "c", "1", "5"])
        names.push("zero")
      }
      for (const name of names) {
        assert.strictEqual((await lab.run(lab.files.facts(name))).kind, "other")
        assert.strictEqual(await lab.reasonOf(lab.read(name)), "not_a_file")
        assert.strictEqual(await lab.reasonOf(lab.write(name, "x")), "not_a_file")
        assert.strictEqual(await lab.reasonOf(lab.files.list(name)), "not_a_directory")
        assert.strictEqual(await lab.reasonOf(lab.read(`${name}/x`)), "not_a_directory")
      }
      await lab.run(lab.files.remove("pipe"))
    } finally {
      server.close()
    }
  })

  it("and a deep tree is walked, bounded, and never held open as a whole", async () => {
    await using lab = await openWorkspace(open)
    const deep = Array.from({ length: 400 }, () => "d").join("/")
    await lab.run(lab.write(`${deep}/file`, "deep", { createDirectories: true }))
    assert.strictEqual((await lab.run(lab.read(`${deep}/file`))).content.toString(), "deep")
    const descriptors = async () => (process.platform === "linux" ? (await readdir("/proc/self/fd")).length : 0)
    const before = await descriptors()
    assert.strictEqual(await lab.reasonOf(lab.files.remove("d", { recursive: true })), "too_large")
    await lab.run(lab.files.remove(Array.from({ length: 300 }, () => "d").join("/"), { recursive: true }))
    await lab.run(lab.files.remove(Array.from({ length: 150 }, () => "d").join("/"), { recursive: true }))
    await lab.run(lab.files.remove("d", { recursive: true }))
    assert.deepStrictEqual(await readdir(lab.path), [])
    assert.isAtMost(await descriptors(), before)
    // Links that multiply: each leads down and up all the way again.
    await lab.run(lab.files.createDirectory(deep))
    for (let index = 0; index < 40; index++) {
      await symlink(
        `${deep}/${"../".repeat(400)}${deep}/${"../".repeat(400)}l${index + 1}`,
        join(lab.path, `l${index}`)
      )
    }
    assert.strictEqual(await lab.reasonOf(lab.read("l0")), "invalid")
  })
})

describe.runIf(process.platform === "linux")("while somebody swaps a directory for a link that leads out,", () => {
  const cases: ReadonlyArray<readonly [string, (lab: Lab, round: number) => Promise<unknown>]> = [
    [
      "nothing outside is read",
      async (lab) => {
        const result = await lab.settle(lab.read("swapped/secret"))
        if (!(result instanceof WorkspaceError)) assert.strictEqual(result.content.toString(), "public")
      }
    ],
    [
      "nothing outside is listed",
      async (lab) => {
        const result = await lab.settle(lab.files.list("swapped"))
        if (!(result instanceof WorkspaceError))
          assert.notInclude(
            result.entries.map(({ name }) => name),
            "deep"
          )
      }
    ],
    ["nothing outside is written", (lab, round) => lab.settle(lab.write(`swapped/new${round % 5}`, "x"))],
    [
      "no directory outside is made",
      (lab, round) => lab.settle(lab.files.createDirectory(`swapped/made${round % 5}/deeper`))
    ],
    [
      "nothing outside is removed",
      async (lab, round) => {
        await lab.settle(lab.write(`swapped/gone${round % 5}/x`, "x", { createDirectories: true }))
        await lab.settle(lab.files.remove(`swapped/gone${round % 5}`, { recursive: true }))
        await lab.settle(lab.files.remove("swapped/deep", { recursive: true }))
      }
    ]
  ]
  for (const [name, attack] of cases) {
    it(name, async () => {
      await using lab = await openWorkspace()
      await keepSecret(lab)
      const directory = join(lab.path, "swapped")
      await mkdir(directory)
      await writeFile(join(directory, "secret"), "public")
      await symlink(lab.outside, join(lab.path, "link"))
      const swapper = new Worker(new URL("./swapper.mjs", import.meta.url), {
        workerData: { directory, kept: join(lab.path, "kept"), link: join(lab.path, "link") }
      })
      try {
        // So many swaps while requests ran, and so many requests while it swapped.
        const swapped = { rounds: 0, error: undefined as unknown }
        swapper.on("message", (rounds: number) => (swapped.rounds = rounds))
        swapper.on("error", (error) => (swapped.error = error))
        for (let round = 0; (round < 200 || swapped.rounds < 3_000) && swapped.error === undefined; round++) {
          await attack(lab, round)
        }
        assert.isUndefined(swapped.error)
      } finally {
        await swapper.terminate()
      }
      await isUntouched(lab)
    })
  }
})
