import {
  makeScriptedModel,
  ModelServerUnavailable,
  ModelStep,
  ModelWaitExpired,
  type ScriptedModelOptions,
  startScriptedModel
} from "@holdfast/testkit"
import { it as effectIt } from "@effect/vitest"
import { Effect } from "effect"
import { afterEach, assert, describe, it } from "vitest"
import { afterCall, ask, saidIn } from "./modelClient.ts"

const opened: Array<AsyncDisposable> = []
afterEach(async () => {
  for (const model of opened.splice(0)) await model[Symbol.asyncDispose]()
})

const start = async (options: ScriptedModelOptions = {}) => {
  const model = await startScriptedModel(options)
  opened.push(model)
  return model
}

const said = async (response: Promise<Response>) => saidIn(await (await response).text())

/** How reading a stream ended: what it said, and whether it was cut. */
const readToEnd = async (response: Response) => {
  const decoder = new TextDecoder()
  let text = ""
  try {
    for await (const chunk of response.body!) text += decoder.decode(chunk, { stream: true })
    return { said: saidIn(text), cut: false }
  } catch {
    return { said: saidIn(text), cut: true }
  }
}

describe("the script", () => {
  it("answers with the first rule that fits, one answer for each step of the turn, and then ends the turn", async () => {
    const model = await start({
      script: [
        { when: "files", answers: [[ModelStep.text("step 0")], [ModelStep.text("step 1")]] },
        { when: (request) => request.prompt === "all files", answers: [[ModelStep.text("never")]] }
      ]
    })
    assert.strictEqual(await said(ask(model.url, "chat", "all files")), "step 0")
    const once = afterCall("a.txt")
    assert.strictEqual(await said(ask(model.url, "chat", "all files", { history: once })), "step 1")
    assert.strictEqual(await said(ask(model.url, "chat", "all files", { history: [...once, ...once] })), "Done.")
    assert.deepStrictEqual(
      model.requests.map(({ number, state, step, toolResults }) => [number, state, step, toolResults.length]),
      [
        [1, "answered", 0, 0],
        [2, "answered", 1, 1],
        [3, "answered", 2, 2]
      ]
    )
    assert.deepStrictEqual(model.requests[1]?.toolResults, [{ callId: "c1", name: "bash", output: "a.txt" }])
  })

  it("may be a function, be changed, and leave a request to the default, which repeats the prompt", async () => {
    const model = await start({
      script: ({ prompt }) => (prompt === "a" ? [ModelStep.text("from a")] : undefined)
    })
    assert.strictEqual(await said(ask(model.url, "chat", "a")), "from a")
    assert.strictEqual(await said(ask(model.url, "chat", "b")), "b")
    model.setScript(({ prompt, tools }) => [ModelStep.text(`${prompt} with ${tools.join()}`)])
    const tools = [{ type: "function", function: { name: "bash" } }]
    assert.strictEqual(await said(ask(model.url, "chat", "a", { body: { tools } })), "a with bash")
  })

  it("leaves titles and summaries alone, where agents repeat the user's words", async () => {
    const model = await start({ script: [{ when: "hi", answers: [[ModelStep.text("from the rule")]] }] })
    const asSystem = (system: string) =>
      said(ask(model.url, "chat", "x", { history: [{ role: "user", content: "hi" }], body: bodyWith(system) }))
    const bodyWith = (system: string) => ({
      messages: [
        { role: "system", content: system },
        { role: "user", content: "hi" }
      ]
    })
    assert.strictEqual(await asSystem("You are a title generator. …"), "Scripted title")
    assert.match(await asSystem("You are a context summarization agent. …"), /^Summary/)
    assert.strictEqual(await asSystem("You are opencode."), "from the rule")
    assert.deepStrictEqual(
      model.requests.map(({ purpose }) => purpose),
      ["title", "compaction", "turn"]
    )
  })

  it("that throws, or goes on after an end, is answered with its fault", async () => {
    const model = await start({
      script: ({ prompt }) => {
        if (prompt === "throw") throw new Error("no such fixture")
        return prompt === "late"
          ? [ModelStep.text("a"), ModelStep.httpError(500)]
          : [ModelStep.drop("mid stream"), ModelStep.text("a")]
      }
    })
    for (const [prompt, problem] of [
      ["throw", /the script threw Error: no such fixture/],
      ["late", /httpError needs headers that are not sent, but comes after text/],
      ["on", /text comes after drop, which is an end/]
    ] as const) {
      const response = await ask(model.url, "chat", prompt)
      assert.strictEqual(response.status, 400)
      assert.match(await response.text(), problem)
      assert.match(model.requests.at(-1)?.problem ?? "", problem)
      assert.strictEqual(model.requests.at(-1)?.state, "refused")
    }
  })
})

describe("a request", () => {
  it("counts as an attempt when it comes again after an answer that was broken off", async () => {
    const model = await start({
      script: ({ attempt, step }) =>
        step === 0 && attempt < 2
          ? [attempt === 0 ? ModelStep.httpError(503, { retryAfter: 1 }) : ModelStep.drop("before headers")]
          : [ModelStep.text(`attempt ${attempt}`)]
    })
    const again = () => ask(model.url, "chat", "hi", { conversation: "c" })
    const refused = await again()
    assert.deepStrictEqual([refused.status, refused.headers.get("retry-after")], [503, "1"])
    await refused.text()
    assert.instanceOf(await again().catch((error: unknown) => error), TypeError)
    assert.strictEqual(await said(again()), "attempt 2")
    assert.strictEqual(
      await said(ask(model.url, "chat", "hi", { conversation: "c", history: afterCall("x") })),
      "attempt 0"
    )
    assert.deepStrictEqual(
      model.requests.map(({ attempt, state }) => [attempt, state]),
      [
        [0, "broken"],
        [1, "broken"],
        [2, "answered"],
        [0, "answered"]
      ]
    )
  })

  it("is refused when its turn makes calls without end, until the user says something new", async () => {
    const model = await start({ maxCallsPerTurn: 3 })
    const call = (history: ReadonlyArray<unknown>) => ask(model.url, "chat", "go", { conversation: "c", history })
    const statuses: Array<number> = []
    for (let calls = 0; calls < 5; calls++) {
      const response = await call([])
      statuses.push(response.status)
      await response.text()
    }
    assert.deepStrictEqual(statuses, [200, 200, 200, 400, 400])
    assert.strictEqual(
      await said(
        call([
          { role: "assistant", content: "" },
          { role: "user", content: "on" }
        ])
      ),
      "on"
    )

    const nameless = await ask(model.url, "chat", "go", { history: [1, 2, 3].flatMap(() => afterCall("x")) })
    assert.strictEqual(nameless.status, 400)
    assert.match(await nameless.text(), /this turn has made 3 calls/)
  })

  it("that cannot be read is refused with the field that is wrong, and is not recorded", async () => {
    const model = await start()
    const post = (path: string, body: string) => fetch(model.url + path, { method: "POST", body })
    for (const [path, body, problem] of [
      ["/responses", "{", /the body cannot be read/],
      ["/responses", `{"model":"m"}`, /at \["input"\]/],
      ["/chat/completions", `{"model":1,"messages":[]}`, /at \["model"\]/],
      ["/messages", `{"model":"m","messages":[{}]}`, /at \["messages"\]\[0\]\["role"\]/]
    ] as const) {
      const response = await post(path, body)
      assert.strictEqual(response.status, 400)
      assert.match(JSON.parse(await response.text()).error.message, problem)
    }
    assert.strictEqual((await fetch(`${model.url}/models`)).status, 404)
    assert.lengthOf(model.requests, 0)
  })

  it("may have items, parts and fields that nobody knows", async () => {
    const model = await start()
    const input = [
      { type: "message", role: "user", content: [{ type: "input_text", text: "look" }, { type: "input_hologram" }] },
      { type: "quantum_call", call_id: "q1", name: "peek", mood: 7 },
      { type: "quantum_call_output", call_id: "q1", output: { strange: true } },
      { type: "mystery" }
    ]
    const response = await ask(model.url, "responses", "", {
      body: { input, tools: [{ type: "web_search" }, 3], q: 1 }
    })
    assert.strictEqual(response.status, 200)
    await response.text()
    const [request] = model.requests
    assert.deepStrictEqual(request?.prompt, "look")
    assert.deepStrictEqual(request?.toolResults, [{ callId: "q1", name: "peek", output: "" }])
    assert.deepStrictEqual(request?.tools, ["web_search"])
  })

  it("is forgotten when enough others have come, its body earlier", async () => {
    const model = await start({ keepRequests: 4, keepBodies: 2 })
    for (const prompt of ["a", "b", "c", "d", "e", "f"]) await said(ask(model.url, "chat", prompt))
    assert.deepStrictEqual(
      model.requests.map(({ body, number, prompt }) => [number, prompt, body !== undefined]),
      [
        [3, "c", false],
        [4, "d", false],
        [5, "e", true],
        [6, "f", true]
      ]
    )
  })

  it("that never comes is waited for no longer than said, and the error names what came", async () => {
    const model = await start()
    await said(ask(model.url, "chat", "hi"))
    const error = await model.waitForRequest(() => false, { timeoutMs: 5 }).catch((error: unknown) => error)
    assert.instanceOf(error, ModelWaitExpired)
    assert.match(String(error), /within 5 ms: the latest were #1 \(chat, turn, step 0, answered\) "hi"/)
  })
})

describe("an answer", () => {
  it("waits at a gate until the test opens it", async () => {
    const model = await start({
      script: () => [ModelStep.text("before"), ModelStep.gate("middle"), ModelStep.text(" after")]
    })
    const response = await ask(model.url, "chat", "hi")
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
    let text = ""
    while (!text.includes("before")) text += (await reader.read()).value
    const waiting = await model.waitForRequest(({ gate }) => gate === "middle")
    assert.strictEqual(waiting.state, "answering")
    model.open("middle")
    for (let next = await reader.read(); !next.done; next = await reader.read()) text += next.value
    assert.strictEqual(saidIn(text), "before after")
    assert.deepStrictEqual([waiting.state, waiting.gate], ["answered", undefined])
    assert.strictEqual(await said(ask(model.url, "chat", "hi")), "before after", "an open gate stays open")
  })

  it("breaks off at a gate that nobody opens", async () => {
    const model = await start({ gateTimeoutMs: 20, script: () => [ModelStep.text("a"), ModelStep.gate("shut")] })
    assert.deepStrictEqual(await readToEnd(await ask(model.url, "chat", "hi")), { said: "a", cut: true })
    assert.strictEqual(model.requests[0]?.problem, 'nobody opened the gate "shut" within 20 ms')
  })

  it("takes its time between pieces, and cuts no character in two", async () => {
    const model = await start({ script: () => [ModelStep.text("a😀b", { chunkSize: 1, delayMs: 15 })] })
    const began = performance.now()
    const text = await (await ask(model.url, "chat", "hi")).text()
    assert.isAtLeast(performance.now() - began, 28)
    assert.include(text, `{"content":"a"}`)
    assert.include(text, `{"content":"😀"}`)
    assert.strictEqual(saidIn(text), "a😀b")
  })

  it("stays whole when it is large and the client slow", async () => {
    const piece = "x".repeat(1_000)
    const model = await start({ script: () => [ModelStep.text(Array.from({ length: 3_000 }, () => piece))] })
    assert.lengthOf(await said(ask(model.url, "chat", "hi")), 3_000_000)
  })

  it("that is dropped in the middle has arrived up to there", async () => {
    const model = await start({ script: () => [ModelStep.text("half"), ModelStep.drop("mid stream")] })
    assert.deepStrictEqual(await readToEnd(await ask(model.url, "chat", "hi")), { said: "half", cut: true })
    assert.strictEqual(model.requests[0]?.state, "broken")
  })

  it("that ends without a finish ends cleanly", async () => {
    const model = await start({ script: () => [ModelStep.text("half"), ModelStep.endWithoutFinish] })
    const text = await (await ask(model.url, "chat", "hi")).text()
    assert.strictEqual(saidIn(text), "half")
    assert.notMatch(text, /finish_reason":"|DONE/)
    assert.strictEqual(model.requests[0]?.state, "broken")
  })

  it("that hangs ends when the client goes, and the record says so", async () => {
    const model = await start({ script: () => [ModelStep.hang] })
    const controller = new AbortController()
    const response = ask(model.url, "chat", "hi", { signal: controller.signal }).catch((error: unknown) => error)
    await model.waitForRequest(({ state }) => state === "answering")
    controller.abort()
    assert.strictEqual(((await response) as Error).name, "AbortError")
    await model.waitForRequest(({ state }) => state === "client gone")
  })
})

describe("the model", () => {
  it("answers twenty conversations at once, each with its own", async () => {
    const model = await start({
      script: ({ conversation, prompt }) => [
        ModelStep.text(`${conversation} `, { chunkSize: 1, delayMs: 1 }),
        ModelStep.gate("all"),
        ModelStep.text(prompt)
      ]
    })
    const names = Array.from({ length: 20 }, (_, at) => `conversation-${at}`)
    const answers = names.map((name) => said(ask(model.url, "chat", `prompt of ${name}`, { conversation: name })))
    await Promise.all(
      names.map((name) => model.waitForRequest(({ conversation, gate }) => conversation === name && gate === "all"))
    )
    model.open("all")
    assert.deepStrictEqual(
      await Promise.all(answers),
      names.map((name) => `${name} prompt of ${name}`)
    )
    assert.isTrue(model.requests.every(({ attempt, state }) => attempt === 0 && state === "answered"))
  })

  it("breaks what it is answering when it is closed, and can be closed twice", async () => {
    const model = await start({ script: () => [ModelStep.text("a"), ModelStep.hang] })
    const response = await ask(model.url, "chat", "hi")
    const end = readToEnd(response)
    await model.close()
    assert.deepStrictEqual(await end, { said: "a", cut: true })
    await model.close()
    assert.instanceOf(await ask(model.url, "chat", "hi").catch((error: unknown) => error), TypeError)
  })

  it("says when its port is taken", async () => {
    const model = await start()
    const port = Number(new URL(model.url).port)
    const error = await startScriptedModel({ port }).catch((error: unknown) => error)
    assert.instanceOf(error, ModelServerUnavailable)
    assert.match(String(error), new RegExp(`cannot listen on port ${port} .*EADDRINUSE`))
  })

  effectIt.effect("lives in a scope, and keeps real time under a test's clock", () =>
    Effect.gen(function* () {
      const url = yield* Effect.scoped(
        Effect.gen(function* () {
          const model = yield* makeScriptedModel({
            script: () => [ModelStep.pause(1), ModelStep.text("ab", { chunkSize: 1, delayMs: 1 })]
          })
          assert.strictEqual(yield* Effect.promise(() => said(ask(model.url, "chat", "hi"))), "ab")
          const request = yield* model.waitForRequest(({ prompt }) => prompt === "hi")
          assert.strictEqual(request.number, 1)
          const error = yield* Effect.flip(model.waitForRequest(() => false, { timeoutMs: 1 }))
          assert.instanceOf(error, ModelWaitExpired)
          return model.url
        })
      )
      const error = yield* Effect.promise(() => ask(url, "chat", "hi").catch((error: unknown) => error))
      assert.instanceOf(error, TypeError)
    })
  )
})
