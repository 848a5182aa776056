/** A repository in a sandbox: prepared before the inner backend is opened, and worked with after. */
import { execFileSync } from "node:child_process"
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe } from "vitest"
import { bridgeIt } from "./support/bridgeTest.ts"
import { opening } from "./support/opening.ts"

const git = (folder: string, ...args: ReadonlyArray<string>) =>
  execFileSync("git", ["-C", folder, "-c", "user.name=Test", "-c", "user.email=test@example.com", ...args], {
    encoding: "utf8"
  }).trim()

describe("a bridge with a repository", () => {
  bridgeIt("prepares it, says how far it is, and commits and pushes what was changed", async ({ begin }) => {
    const { control, house } = await begin()
    const source = join(house.folder, "source")
    mkdirSync(source)
    git(source, "init", "--quiet", "--initial-branch=main")
    writeFileSync(join(source, "notes.txt"), "one\n")
    git(source, "add", ".")
    git(source, "commit", "--quiet", "--message", "Begin")
    git(house.folder, "clone", "--quiet", "--bare", source, "remote.git")
    const repository = join(house.folder, "remote.git")

    const missing = await control.command(opening(1, {}, { workspace: { repository: `${repository}.not` } }))
    assert.deepNestedInclude(missing, { "failure.kind": "invalid", "failure.field": "repository" })
    const workspace = { repository, branch: "holdfast/test" }
    assert.deepInclude(await control.command(opening(2, {}, { workspace })), { type: "performed" })
    await control.waitUntil("the branch is told", () =>
      control.events.some(({ type }) => type === "workspace.branch_created")
    )
    assert.deepInclude(control.events[0], { data: { branch: "holdfast/test", base: "main" } })

    await control.type("echo two >> notes.txt; echo do''ne\r")
    await control.waitUntil("it is written", () => control.output().includes("done"))
    const changes = await control.perform({ type: "workspace", action: { do: "changes" } })
    assert.deepNestedInclude(changes, { "result.workspace.changes[0].path": "notes.txt" })
    const author = { name: "Ada", email: "ada@example.com" }
    await control.perform({ type: "workspace", action: { do: "commit", message: "Add a line", author } }, 4)
    assert.deepInclude(await control.perform({ type: "workspace", action: { do: "push" } }, 5), { type: "performed" })
    assert.strictEqual(
      git(repository, "log", "-1", "--format=%an <%ae> %s", "holdfast/test"),
      "Ada <ada@example.com> Add a line"
    )
    await control.waitUntil("the push is told", () => control.events.some(({ type }) => type === "workspace.pushed"))
    assert.deepNestedInclude(
      await control.perform({ type: "workspace", action: { do: "pullRequest", title: "A line" } }),
      { "failure.reason": "pull requests are the host's to open" }
    )
  })

  bridgeIt("refuses what needs a repository where there is none", async ({ begin }) => {
    const { control } = await begin()
    await control.command(opening(1))
    assert.deepNestedInclude(await control.perform({ type: "workspace", action: { do: "push" } }), {
      "failure.reason": "this sandbox has no repository"
    })
  })
})
