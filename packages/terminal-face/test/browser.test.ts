/** A face runs where there is no Node: what it is bundled of is looked at, and its own example is run. */
import { readFileSync } from "node:fs"
import { isBuiltin, stripTypeScriptTypes } from "node:module"
import { fileURLToPath } from "node:url"
import type { CommandBody, Followed } from "@holdfast/core"
import { assert, describe, it } from "@effect/vitest"
import { build } from "esbuild"
import * as face from "../src/index.ts"
import { openSession } from "./session.ts"
import { Screen } from "./screen.ts"

const index = fileURLToPath(new URL("../src/index.ts", import.meta.url))

describe("The package", () => {
  it("bundles for browsers, without any module of Node's", async () => {
    const { metafile } = await build({
      entryPoints: [index],
      bundle: true,
      write: false,
      metafile: true,
      format: "esm",
      platform: "browser",
      conditions: ["@holdfast/source"],
      logLevel: "silent"
    })
    assert.deepStrictEqual(
      Object.values(metafile.outputs).flatMap((output) => output.imports),
      []
    )
    const inputs = Object.values(metafile.inputs).flatMap((input) =>
      input.imports.map((one) => one.original ?? one.path)
    )
    assert.deepStrictEqual(inputs.filter(isBuiltin), [])
  })

  it("does what its example says", async () => {
    const [, example] = /```ts\n([^]*?)```/.exec(readFileSync(index, "utf8").replaceAll(/^ \* ?/gm, "")) ?? []
    const source = example!.replace(/^import .* from "@holdfast\/terminal-face"$/m, "")
    assert.notStrictEqual(source, example)

    const session = openSession()
    const screen = new Screen(80, 24)
    const written: Array<string> = []
    const holdfast = {
      async *follow(): AsyncGenerator<Followed> {
        const events = session.records()
        const cursor = events.length
        yield { answer: "exact", events, cursor, head: cursor }
        yield { answer: "caught-up", cursor }
      },
      command: async (_: string, command: CommandBody) => {
        const decision = session.command(command)
        if (!decision.accepted) throw decision.rejection
      }
    }
    const given = {
      makeTerminalFace: face.makeTerminalFace,
      holdfast,
      sessionId: "s",
      write: (text: string) => void written.push(text)
    }
    const run = new Function(...Object.keys(given), `${stripTypeScriptTypes(source)}\nreturn { show, type }`)
    const { show, type } = run(...Object.values(given)) as {
      readonly show: () => Promise<void>
      readonly type: (bytes: Uint8Array) => Promise<void>
    }
    await show()
    await type(new TextEncoder().encode("Hello\r"))
    await show()
    await screen.write(written.join(""))
    assert.deepStrictEqual(screen.lines, [
      "· Session on scripted",
      "· Opened",
      "",
      "◦ on its way · Hello",
      "idle · ? helps",
      "❯"
    ])
    await type(new TextEncoder().encode("\u0004"))
    await screen.write(written.at(-1)!)
    assert.deepStrictEqual(screen.lines, ["· Session on scripted", "· Opened"])
  })
})
