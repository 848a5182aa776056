import { Effect } from "effect"
import fc from "fast-check"
import { execFileSync } from "node:child_process"
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { createServer } from "node:net"
import { dirname, join } from "node:path"
import { describe, expect, onTestFinished, test } from "vitest"
import { packWorkspace, unpackWorkspace } from "../src/index.ts"
import { filesOf, gitIn, gitViewOf, temporaryFolder, tryGitIn } from "./support/workTree.ts"

const names = ["a", "b.txt", "dir/c", "dir/sub/d", "we ird", "ü/ñ", "new\nline", "-x", 'quo"te\\', "tab\there", "*.x", ":(top)"]
const contents = ["", "one\n", "one\r\ntwo\n", "\0binary\xff", "x".repeat(70_000)]

type Step =
  | { readonly do: "write"; readonly name: string; readonly content: string; readonly isExecutable: boolean }
  | { readonly do: "link"; readonly name: string; readonly to: string }
  | { readonly do: "remove"; readonly name: string }
  | { readonly do: "git"; readonly args: ReadonlyArray<string> }

const name = fc.constantFrom(...names)
const withName = (...args: ReadonlyArray<string>) =>
  name.map((each): Step => ({ do: "git", args: ["--literal-pathspecs", ...args, "--", each] }))
const gitSteps: ReadonlyArray<ReadonlyArray<string>> = [
  ["add", "--all"],
  ["commit", "--quiet", "--message=more"],
  ["checkout", "--quiet", "-b", "side"],
  ["checkout", "--quiet", "side"],
  ["checkout", "--quiet", "main"],
  ["checkout", "--quiet", "--detach"],
  ["merge", "--quiet", "side"],
  ["stash", "push", "--quiet", "--include-untracked"],
  ["tag", "--force", "v1"],
  ["reset", "--quiet", "--mixed", "HEAD"]
]
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("write" as const),
      name,
      content: fc.constantFrom(...contents),
      isExecutable: fc.boolean()
    })
  },
  fc.record({ do: fc.constant("link" as const), name, to: fc.constantFrom("a", "../outside", "dir", "ü") }),
  { weight: 2, arbitrary: fc.record({ do: fc.constant("remove" as const), name }) },
  { weight: 3, arbitrary: withName("add") },
  withName("add", "--intent-to-add"),
  withName("rm", "--cached", "--quiet"),
  withName("update-index", "--assume-unchanged"),
  withName("update-index", "--skip-worktree"),
  { weight: 8, arbitrary: fc.constantFrom(...gitSteps).map((args): Step => ({ do: "git", args })) }
)

const perform = (folder: string, each: Step) => {
  if (each.do === "git") return tryGitIn(folder, ...each.args)
  const path = join(folder, each.name)
  // A link or a file where a folder has to be gives way.
  const parent = dirname(path)
  if (parent !== folder && filesOf(folder)[each.name.split("/")[0]!] !== undefined) rmSync(parent, { force: true })
  rmSync(path, { recursive: true, force: true })
  if (each.do === "remove") return
  mkdirSync(parent, { recursive: true })
  if (each.do === "link") return symlinkSync(each.to, path)
  writeFileSync(path, Buffer.from(each.content, "latin1"))
  chmodSync(path, each.isExecutable ? 0o755 : 0o644)
}

const newRepository = () => {
  const folder = join(temporaryFolder(), "work")
  mkdirSync(folder)
  gitIn(folder, "init", "--quiet", "--initial-branch=main")
  return folder
}

const move = async (folder: string, options = {}) => {
  const place = temporaryFolder()
  const packed = await Effect.runPromise(packWorkspace(folder, join(place, "packed"), options))
  const target = join(place, "there", "work")
  const unpacked = await Effect.runPromise(unpackWorkspace(join(place, "packed"), target, options))
  expect(unpacked).toEqual(packed)
  return { packed, target, file: join(place, "packed") }
}

describe("a packed repository", () => {
  test("is the same repository where it is unpacked, whatever its history, its index and its files are", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 25 }), async (steps) => {
        const folder = newRepository()
        for (const each of steps) perform(folder, each)
        const before = { git: gitViewOf(folder), files: filesOf(folder) }
        const { target } = await move(folder)
        expect({ git: gitViewOf(target), files: filesOf(target) }).toEqual(before)
        // It was only read.
        expect({ git: gitViewOf(folder), files: filesOf(folder) }).toEqual(before)
      }),
      { numRuns: 15 }
    )
  })
})
