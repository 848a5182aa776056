import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Stream } from "effect"
import { createHash } from "node:crypto"
import { appendFile, chmod, mkdir, readdir, readFile, stat, symlink, truncate, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { makeLocalWorkspaces } from "../../src/workspace/LocalWorkspaces.ts"
import { workspaceLimits } from "../../src/workspace/Workspace.ts"
import { openWorkspace, ways } from "./openWorkspace.ts"

const sha = (content: string | Uint8Array) => createHash("sha256").update(content).digest("hex")

describe.each(ways)("files of a local workspace, reached %s", (_way, open) => {
  it("are written whole, read back with their hash, and in parts", async () => {
    await using lab = await openWorkspace(open)
    const written = await lab.run(lab.write("notes.txt", "one two three"))
    assert.isTrue(written.created)
    assert.strictEqual(written.hash, sha("one two three"))
    const whole = await lab.run(lab.read("notes.txt"))
    assert.strictEqual(whole.content.toString(), "one two three")
    assert.strictEqual(whole.hash, written.hash)
    assert.deepInclude(whole.facts, { path: "notes.txt", name: "notes.txt", kind: "file", size: 13, executable: false })
    const part = await lab.run(lab.read("notes.txt", { offset: 4, length: 3 }))
    assert.deepInclude(part, { offset: 4, length: 3, hash: written.hash })
    assert.strictEqual(part.content.toString(), "two")
    const past = await lab.run(lab.read("notes.txt", { offset: 100, length: 3 }))
    assert.deepInclude(past, { offset: 13, length: 0 })
    assert.isFalse((await lab.run(lab.write("notes.txt", ""))).created)
    assert.strictEqual((await lab.run(lab.read("notes.txt"))).content.byteLength, 0)
  })

  it("of any size up to the limit pass in pieces", async () => {
    await using lab = await openWorkspace(open)
    const piece = Buffer.alloc(1_000_000, "abcdefghij")
    const written = await lab.run(lab.files.write("large", Stream.fromIterable([piece, piece, piece])))
    const whole = await lab.run(lab.read("large"))
    assert.strictEqual(whole.content.byteLength, 3_000_000)
    assert.strictEqual(sha(whole.content), written.hash)
    assert.strictEqual(whole.hash, written.hash)
    const part = await lab.run(lab.read("large", { offset: 999_999, length: 5 }))
    assert.strictEqual(part.content.toString(), "jabcd")
  })

  it("larger than the limit are neither read nor written as a whole", async () => {
    await using lab = await openWorkspace(open)
    await writeFile(join(lab.path, "huge"), "start")
    await truncate(join(lab.path, "huge"), workspaceLimits.maxFileBytes + 1)
    assert.strictEqual(await lab.reasonOf(lab.read("huge")), "too_large")
    const part = await lab.run(lab.read("huge", { length: 5 }))
    assert.strictEqual(part.content.toString(), "start")
    assert.isNull(part.hash)

    await lab.run(lab.write("kept", "old"))
    const piece = Buffer.alloc(8 * 1024 * 1024)
    const endless = Stream.forever(Stream.succeed(piece))
    assert.strictEqual(await lab.reasonOf(lab.files.write("kept", endless)), "too_large")
    assert.strictEqual(await readFile(join(lab.path, "kept"), "utf8"), "old")
    assert.deepStrictEqual((await readdir(lab.path)).toSorted(), ["huge", "kept"])
  })

  it("that are appended to or cut off while they are read are told to have changed", async () => {
    await using lab = await openWorkspace(open)
    for (const change of [
      (path: string) => appendFile(path, "more"),
      (path: string) => truncate(path, 1_500_000),
      (path: string) => writeFile(path, Buffer.alloc(3_000_000, "b"))
    ]) {
      const path = join(lab.path, "log")
      await writeFile(path, Buffer.alloc(3_000_000, "a"))
      const reading = Effect.scoped(
        Effect.gen(function* () {
          const { bytes } = yield* lab.files.read("log")
          yield* Effect.promise(() => change(path))
          yield* Stream.runDrain(bytes)
        })
      )
      assert.strictEqual(await lab.reasonOf(reading), "changed")
    }
  })

  it("are changed only by who has seen what is there", async () => {
    await using lab = await openWorkspace(open)
    const missing = { condition: { ifMissing: true } } as const
    const there = { condition: { ifExists: true } } as const
    assert.strictEqual(await lab.reasonOf(lab.write("a", "x", there)), "not_found")
    const first = await lab.run(lab.write("a", "first", missing))
    assert.strictEqual(await lab.reasonOf(lab.write("a", "second", missing)), "exists")
    const second = await lab.run(lab.write("a", "second", { condition: { ifHash: first.hash } }))
    assert.strictEqual(await lab.reasonOf(lab.write("a", "third", { condition: { ifHash: first.hash } })), "changed")
    assert.strictEqual(await lab.reasonOf(lab.files.remove("a", { ifHash: first.hash })), "changed")
    assert.strictEqual(await readFile(join(lab.path, "a"), "utf8"), "second")
    await lab.run(lab.files.remove("a", { ifHash: second.hash }))
    assert.strictEqual(await lab.reasonOf(lab.write("a", "x", { condition: { ifHash: second.hash } })), "changed")
    assert.deepStrictEqual(await readdir(lab.path), [])
  })

  it("let exactly one of many win who change or make the same", async () => {
    await using lab = await openWorkspace(open)
    const race = async (condition: { ifHash: string } | { ifMissing: true }, path: string) => {
      const all = Array.from({ length: 12 }, (_, index) => lab.settle(lab.write(path, `by ${index}`, { condition })))
      return (await Promise.all(all)).filter((result) => "hash" in result).length
    }
    const { hash } = await lab.run(lab.write("a", "start"))
    assert.strictEqual(await race({ ifHash: hash }, "a"), 1)
    assert.strictEqual(await race({ ifMissing: true }, "new"), 1)
    assert.deepStrictEqual((await readdir(lab.path)).toSorted(), ["a", "new"])
  })

  it("stay as they were when a write fails or is interrupted on its way", async () => {
    await using lab = await openWorkspace(open)
    await lab.run(lab.write("a", "old"))
    const broken = Stream.concat(Stream.succeed(Buffer.from("half")), Stream.fail("torn" as const))
    assert.strictEqual(await Effect.runPromise(Effect.flip(lab.files.write("a", broken))), "torn")

    const begun = Deferred.makeUnsafe<void>()
    const stuck = Stream.concat(
      Stream.succeed(Buffer.from("half")),
      Stream.fromEffect(Effect.andThen(Deferred.succeed(begun, undefined), Effect.never))
    )
    const fiber = Effect.runFork(lab.files.write("a", stuck))
    await Effect.runPromise(Deferred.await(begun))
    assert.strictEqual((await readdir(lab.path)).length, 2)
    await Effect.runPromise(Fiber.interrupt(fiber))
    assert.deepStrictEqual(await readdir(lab.path), ["a"])
    assert.strictEqual(await readFile(join(lab.path, "a"), "utf8"), "old")
  })

  it("keep their mode, but for what would give rights away", async () => {
    await using lab = await openWorkspace(open)
    await lab.run(lab.write("run.sh", "#!/bin/sh\n"))
    await chmod(join(lab.path, "run.sh"), 0o4751)
    await lab.run(lab.write("run.sh", "#!/bin/sh\necho\n"))
    assert.strictEqual((await stat(join(lab.path, "run.sh"))).mode & 0o7777, 0o751)
    assert.isTrue((await lab.run(lab.files.facts("run.sh"))).executable)
  })

  it("are listed in pages, by name, with what they are", async () => {
    await using lab = await openWorkspace(open)
    await mkdir(join(lab.path, "d"))
    await symlink("c", join(lab.path, "b"))
    for (const name of ["c", "a", "Z", "é"]) await writeFile(join(lab.path, name), name)
    const first = await lab.run(lab.files.list("", { limit: 4 }))
    assert.deepStrictEqual(
      first.entries.map(({ kind, name }) => `${name} ${kind}`),
      ["Z file", "a file", "b link", "c file"]
    )
    assert.strictEqual(first.entries[2]!.target, "c")
    assert.deepInclude(first, { total: 6, next: "c" })
    const second = await lab.run(lab.files.list("", { limit: 4, after: first.next! }))
    assert.deepStrictEqual(
      second.entries.map(({ path }) => path),
      ["d", "é"]
    )
    assert.isUndefined(second.next)
    assert.deepStrictEqual((await lab.run(lab.files.list("d"))).entries, [])
    assert.strictEqual(await lab.reasonOf(lab.files.list("a")), "not_a_directory")
    assert.strictEqual(await lab.reasonOf(lab.files.list("", { limit: 1_001 })), "invalid")
    assert.strictEqual(await lab.reasonOf(lab.files.list("nowhere")), "not_found")
  })

  it("of a large directory come page by page, each once", async () => {
    await using lab = await openWorkspace(open)
    const names = Array.from({ length: 1_237 }, (_, index) => `f${index}`).toSorted()
    await Promise.all(names.map((name) => writeFile(join(lab.path, name), "")))
    const seen: Array<string> = []
    for (let after: string | undefined; ;) {
      const page = await lab.run(lab.files.list("", { limit: 100, ...(after === undefined ? {} : { after }) }))
      assert.strictEqual(page.total, names.length)
      seen.push(...page.entries.map(({ name }) => name))
      if (page.next === undefined) break
      after = page.next
    }
    assert.deepStrictEqual(seen, names)
    assert.strictEqual((await lab.run(lab.files.list(""))).entries.length, 1_000)
  })

  // Other systems take no such names.
  it.runIf(process.platform === "linux")("whose names are no text are left out, and hold up nobody", async () => {
    await using lab = await openWorkspace(open)
    await mkdir(join(lab.path, "d"))
    const strange = Buffer.concat([Buffer.from(join(lab.path, "d/")), Buffer.from([0x66, 0xff])])
    await writeFile(strange, "strange")
    await writeFile(join(lab.path, "d/plain"), "plain")
    const page = await lab.run(lab.files.list("d"))
    assert.deepStrictEqual([page.total, page.entries.map(({ name }) => name)], [2, ["plain"]])
    assert.strictEqual(await lab.reasonOf(lab.files.remove("d", { recursive: true })), "failed")
    assert.deepStrictEqual((await readdir(join(lab.path, "d"), { encoding: "buffer" })).length, 1)
  })

  it("and directories are made and removed, with all that is in them where asked", async () => {
    await using lab = await openWorkspace(open)
    assert.strictEqual(await lab.reasonOf(lab.write("x/y/z.txt", "z")), "not_found")
    await lab.run(lab.write("x/y/z.txt", "z", { createDirectories: true }))
    assert.deepInclude(await lab.run(lab.files.createDirectory("x/y")), { path: "x/y", kind: "directory" })
    await lab.run(lab.files.createDirectory("x/p/q"))
    assert.strictEqual(await lab.reasonOf(lab.files.createDirectory("x/y/z.txt")), "exists")
    assert.strictEqual(await lab.reasonOf(lab.files.createDirectory("x/y/z.txt/w")), "not_a_directory")
    assert.strictEqual(await lab.reasonOf(lab.write("x/y", "text")), "not_a_file")
    assert.strictEqual(await lab.reasonOf(lab.read("x/y")), "not_a_file")
    assert.strictEqual(await lab.reasonOf(lab.files.remove("x")), "not_empty")
    await lab.run(lab.files.remove("x/p/q"))
    await lab.run(lab.files.remove("x", { recursive: true }))
    assert.strictEqual(await lab.reasonOf(lab.files.remove("x")), "not_found")
    for (const root of ["", ".", "/./".slice(1)]) {
      assert.strictEqual(await lab.reasonOf(lab.files.remove(root, { recursive: true })), "invalid")
      assert.strictEqual(await lab.reasonOf(lab.write(root, "x")), "not_a_file")
    }
    assert.deepStrictEqual(await readdir(lab.path), [])
  })
})

describe("a session's local workspace", () => {
  it("is told to be missing where the session has none, it is elsewhere, or it is gone", async () => {
    await using lab = await openWorkspace()
    const { of } = makeLocalWorkspaces()
    for (const workspace of [null, "relative/path", join(lab.path, "gone"), "https://example.com/x"]) {
      assert.strictEqual(await lab.reasonOf(of({ sessionId: lab.sessionId, workspace })), "no_workspace")
    }
    await writeFile(join(lab.path, "file"), "")
    assert.strictEqual(
      await lab.reasonOf(of({ sessionId: lab.sessionId, workspace: join(lab.path, "file") })),
      "no_workspace"
    )
  })
})
