import { Effect } from "effect"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { expect, test } from "vitest"
import { adoptWorkspace, prepareWorkspace } from "../src/index.ts"
import { gitIn, temporaryFolder } from "./support/workTree.ts"
import { failureOf, newFolder, optionsOf, serverOfTest } from "./support/workspaces.ts"

/** A clone as a person has it: on its main branch, with a remote that is reached otherwise, and half done. */
const cloneOfPerson = async () => {
  const server = await serverOfTest()
  const repository = await server.repository("app")
  await repository.commit("main", { "README.md": "Hello\n" })
  const folder = newFolder()
  const { options } = optionsOf()
  const spec = { repository: repository.url }
  await Effect.runPromise(prepareWorkspace(folder, { ...spec, branch: "mine" }, options))
  gitIn(folder, "checkout", "--quiet", "-b", "main", "origin/main")
  gitIn(folder, "branch", "-D", "mine")
  gitIn(folder, "config", "--remove-section", "holdfast")
  gitIn(folder, "remote", "set-url", "origin", "git@example.com:acme/app.git")
  writeFileSync(join(folder, "README.md"), "Hello, you\n")
  writeFileSync(join(folder, "new.txt"), "new\n")
  return { folder, options, repository, spec }
}

test("a repository that a session brings goes on on the session's own branch with all that is not committed, and is pushed where the spec says", async () => {
  const { folder, options, repository, spec } = await cloneOfPerson()
  const workspace = await Effect.runPromise(adoptWorkspace(folder, spec, options))
  const branch = `holdfast/${options.sessionId}`
  expect(workspace).toMatchObject({ branch, base: "main", isNewBranch: true })
  expect(gitIn(folder, "branch", "--show-current").trim()).toBe(branch)
  expect(readFileSync(join(folder, "README.md"), "utf8")).toBe("Hello, you\n")
  expect(await Effect.runPromise(workspace.changes)).toMatchObject({
    changes: [{ path: "README.md" }, { path: "new.txt" }]
  })
  await Effect.runPromise(Effect.andThen(workspace.commit("All"), workspace.push()))
  expect(await repository.git("log", "-1", "--format=%s", branch)).toBe("All")

  // As it is opened again later: the same folder, by then with a server to ask.
  const again = await Effect.runPromise(prepareWorkspace(folder, spec, options))
  expect(again).toMatchObject({ branch, base: "main", isNewBranch: false })
  expect(gitIn(folder, "remote", "get-url", "origin").trim()).toBe("git@example.com:acme/app.git")
})

test("one that has the session's branch already stays on the branch that it is on", async () => {
  const { folder, options, spec } = await cloneOfPerson()
  gitIn(folder, "branch", "work")
  const workspace = await Effect.runPromise(adoptWorkspace(folder, { ...spec, branch: "work" }, options))
  expect(workspace).toMatchObject({ branch: "work", isNewBranch: false })
  expect(gitIn(folder, "branch", "--show-current").trim()).toBe("main")
  expect(await failureOf(workspace.commit("All"))).toMatchObject({ failure: "other_branch" })
})

test("a folder that is no repository is refused, and so is a branch that git cannot have", async () => {
  const { folder, options, spec } = await cloneOfPerson()
  expect(await failureOf(adoptWorkspace(temporaryFolder(), spec, options))).toMatchObject({ failure: "folder_taken" })
  expect(await failureOf(adoptWorkspace(folder, { ...spec, branch: "-" }, options))).toMatchObject({
    failure: "invalid"
  })
})
