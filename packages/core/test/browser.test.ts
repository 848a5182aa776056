/** Core runs where there is no Node: it is bundled for browsers and does a real job in a scope of web globals alone. */
import { build, type BuildOptions } from "esbuild"
import { once } from "node:events"
import { isBuiltin } from "node:module"
import { fileURLToPath } from "node:url"
import { Worker } from "node:worker_threads"
import { gzipSync } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"

const fileOf = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/**
 * Most bytes, minified and gzipped, of all of core with what it needs of Effect and XState: 182 KiB when this was written.
 * What pushes it past the bound should be worth what every page pays for it.
 */
const maxBundleBytes = 200 * 1024

/** The same of a page that only shows timelines: 105 KiB when this was written, nearly all of it Effect's Schema. */
const maxViewBytes = 120 * 1024

const bundle = async (options: BuildOptions) => {
  const result = await build({
    bundle: true,
    platform: "browser",
    conditions: ["@holdfast/source"],
    target: "es2023",
    write: false,
    metafile: true,
    logLevel: "silent",
    ...options
  })
  return { text: result.outputFiles![0]!.text, metafile: result.metafile! }
}

/** Globals that browsers' workers and edge runtimes have beside the language itself. */
const webGlobals = `
  AbortController AbortSignal Blob Event EventTarget MessageChannel MessagePort Performance ReadableStream TextDecoder
  TextEncoder TransformStream URL URLSearchParams WebAssembly atob btoa clearInterval clearTimeout console crypto fetch
  performance queueMicrotask self setInterval setTimeout structuredClone
`
  .trim()
  .split(/\s+/)

/** Runs a script in a thread that has lost all that only Node has, and gives what its `job` gives. */
const runInWebScope = async (script: string): Promise<unknown> => {
  const worker = new Worker(
    `const { parentPort, workerData } = require("node:worker_threads")
     const language = new Set(require("node:vm").runInNewContext("Object.getOwnPropertyNames(globalThis)"))
     for (const name of Object.getOwnPropertyNames(globalThis)) {
       if (!language.has(name) && !workerData.webGlobals.includes(name)) delete globalThis[name]
     }
     const left = ["process", "Buffer", "require", "global", "setImmediate"].filter((name) => name in globalThis)
     if (left.length > 0) throw new Error("still there: " + left)
     ;(0, eval)(workerData.script + "; globalThis.job = core.job")
     job().then((value) => parentPort.postMessage(value))`,
    { eval: true, workerData: { script, webGlobals } }
  )
  try {
    // An error in the thread rejects here.
    const [value] = await once(worker, "message")
    return value
  } finally {
    await worker.terminate()
  }
}

describe("Core in a browser", () => {
  it("is a bundle that imports nothing, no module of Node's and no other, within its bound of size", async () => {
    const { metafile, text } = await bundle({ entryPoints: [fileOf("../src/index.ts")], format: "esm", minify: true })
    const outside = Object.values(metafile.outputs).flatMap((output) => output.imports)
    assert.deepStrictEqual(outside, [])
    const inputs = Object.values(metafile.inputs).flatMap((input) =>
      input.imports.map((one) => one.original ?? one.path)
    )
    assert.deepStrictEqual(inputs.filter(isBuiltin), [])
    const size = gzipSync(text).byteLength
    assert.isBelow(size, maxBundleBytes, `${text.length} bytes, ${size} gzipped`)
  })

  it("costs a page that only shows timelines no more than that takes", async () => {
    const contents = `export { emptyTimeline, evolveTimelinePage, groupTimeline, timelineEntries } from "../src/index.ts"`
    const { text } = await bundle({ stdin: { contents, resolveDir: fileOf(".") }, format: "esm", minify: true })
    const size = gzipSync(text).byteLength
    assert.isBelow(size, maxViewBytes, `${text.length} bytes, ${size} gzipped`)
  })

  it("decides, stores, follows and shows a session without anything of Node's", async () => {
    const { text } = await bundle({ entryPoints: [fileOf("./browserJob.ts")], format: "iife", globalName: "core" })
    assert.deepStrictEqual(await runInWebScope(text), {
      status: "idle",
      title: "In a browser",
      seq: 7,
      rows: 2,
      text: ["Hello, browser"]
    })
  })
})
