import { assert, describe, it } from "@effect/vitest"
import { createHash } from "node:crypto"
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { type Parsed, type ServedHouse, withHouse } from "./servedHouse.ts"

/** A session whose log has about `count` events. */
const longSession = async ({ agent, ask }: ServedHouse, count: number): Promise<string> => {
  const at = `/api/v1/sessions/${await agent()}`
  for (let index = 0; index < count; index++) await ask("POST", `${at}/rename`, { body: { title: `title ${index}` } })
  return at
}

const seqs = (events: ReadonlyArray<{ readonly seq: number }>) => events.map(({ seq }) => seq)

const upTo = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, index) => first + index)

describe("a session's log over HTTP", () => {
  it("is read a page at a time from any event, forwards and backwards", () =>
    withHouse(async (house) => {
      const at = await longSession(house, 30)
      const seen: Array<number> = []
      let page: Parsed
      do {
        page = (await house.ask("GET", `${at}/events?after=${page?.cursor ?? 0}&limit=7`)).json
        assert.strictEqual(page.answer, "exact")
        assert.isAtMost(page.events.length, 7)
        seen.push(...seqs(page.events))
      } while (page.cursor < page.head)
      const { head } = page
      assert.deepStrictEqual(seen, upTo(1, head))

      const back: Array<number> = []
      for (let before = head + 1; before > 1; before = back[0]!) {
        const older = (await house.ask("GET", `${at}/events?before=${before}&limit=8`)).json
        assert.strictEqual(older.cursor, before - 1)
        back.unshift(...seqs(older.events))
      }
      assert.deepStrictEqual(back, upTo(1, head))
      assert.strictEqual((await house.ask("GET", `${at}/events?before=1`)).json.events.length, 0)
      assert.strictEqual((await house.ask("GET", `${at}/events?after=${head + 5}`)).json.reason, "ahead")
    }))

  it("gives what happened by any event, as people read it", () =>
    withHouse(async ({ agent, ask, until }) => {
      const sessionId = await agent()
      const at = `/api/v1/sessions/${sessionId}`
      for (const text of ["first", "second", "run a tool"]) {
        await ask("POST", `${at}/prompts`, { body: { text } })
        await until(
          sessionId,
          (state) => state.turn === null && state.prompts.length === 0 && state.lastTurnId !== null
        )
      }
      const { head } = (await ask("GET", `${at}/events`)).json
      const whole = (await ask("GET", `${at}/timeline`)).json
      assert.strictEqual(whole.seq, head)
      const texts = (timeline: typeof whole) =>
        timeline.entries.flatMap((one: Parsed) => (one.type === "message" && one.role === "agent" ? [one.text] : []))
      assert.include(texts(whole).join(), "second")
      // Backwards and forwards, as a slider asks: what is kept of a fold must not show in another.
      for (const seq of [head, 3, head - 1, Math.floor(head / 2), head]) {
        const then = (await ask("GET", `${at}/timeline?at=${seq}`)).json
        assert.strictEqual(then.seq, seq)
        assert.isTrue(then.entries.every((one: Parsed) => one.seq <= seq))
        assert.isAtMost(then.total, whole.total)
      }
      assert.deepStrictEqual((await ask("GET", `${at}/timeline?at=${head}`)).json, whole)
      const newest = (await ask("GET", `${at}/timeline?limit=2`)).json
      assert.deepStrictEqual(newest.entries, whole.entries.slice(-2))
      assert.strictEqual(newest.total, whole.total)
    }))

  it("is exported as a recording, as lines of JSON and as text, under a name for a file", () =>
    withHouse(async ({ ask, server, terminal }) => {
      const sessionId = await terminal("echo one; echo two")
      await server.holdfast.until(sessionId, ({ chart }) => chart.lifecycle === "closed")
      const at = `/api/v1/sessions/${sessionId}`
      await ask("POST", `${at}/rename`, { body: { title: 'A "quoted" títle/…' } })
      const cast = await ask("GET", `${at}/export?format=cast`)
      assert.strictEqual(JSON.parse(cast.text.split("\n")[0]!).version, 2)
      assert.match(cast.headers.get("content-disposition")!, /^attachment; filename="A-quoted-ti[\w-]*\.cast"$/)
      const jsonl = await ask("GET", `${at}/export?format=jsonl`)
      const records = jsonl.text.trimEnd().split("\n")
      assert.deepStrictEqual(seqs(records.map((line) => JSON.parse(line))), upTo(1, records.length))
      assert.strictEqual((await ask("GET", `${at}/export?format=txt`)).text, "one\ntwo\n")
      assert.strictEqual((await ask("GET", `${at}/export?format=pdf`)).json.field, "format")
    }))
})

describe("a session's workspace over HTTP", () => {
  const hashOf = (content: string | Uint8Array) => createHash("sha256").update(content).digest("hex")

  it("is listed a page at a time", () =>
    withHouse(async ({ ask, terminal, workspace }) => {
      const at = `/api/v1/sessions/${await terminal()}/files`
      mkdirSync(join(workspace, "src"))
      for (const name of ["a.txt", "b.txt", "c.txt"]) writeFileSync(join(workspace, name), name)
      const first = (await ask("GET", `${at}?limit=2`)).json
      const second = (await ask("GET", `${at}?limit=2&after=${first.next}`)).json
      const names = [...first.entries, ...second.entries].map(({ name }) => name)
      assert.deepStrictEqual([names, first.total, second.next], [["a.txt", "b.txt", "c.txt", "src"], 4, undefined])
      assert.strictEqual((await ask("GET", `${at}?path=a.txt`)).json.size, 5)
      assert.strictEqual((await ask("GET", `${at}?path=src&facts=true`)).json.kind, "directory")
      assert.strictEqual((await ask("GET", `${at}?path=none`)).status, 404)
    }))

  it("is read with its hash, in part, or not at all where it is known already", () =>
    withHouse(async ({ ask, terminal, workspace }) => {
      const content = `/api/v1/sessions/${await terminal()}/files/content?path=note.txt`
      writeFileSync(join(workspace, "note.txt"), "0123456789")
      const whole = await ask("GET", content)
      assert.strictEqual(whole.text, "0123456789")
      const etag = whole.headers.get("etag")!
      assert.strictEqual(etag, `"${hashOf("0123456789")}"`)
      assert.strictEqual(whole.headers.get("content-type"), "application/octet-stream")
      assert.include(whole.headers.get("content-security-policy")!, "sandbox")
      assert.match(whole.headers.get("content-disposition")!, /^attachment/)
      const known = await ask("GET", content, { headers: { "if-none-match": etag } })
      assert.deepStrictEqual([known.status, known.text], [304, ""])
      for (const [range, text, said] of [
        ["bytes=2-4", "234", "bytes 2-4/10"],
        ["bytes=7-", "789", "bytes 7-9/10"],
        ["bytes=-2", "89", "bytes 8-9/10"]
      ] as const) {
        const part = await ask("GET", content, { headers: { range } })
        assert.deepStrictEqual([part.status, part.text, part.headers.get("content-range")], [206, text, said])
      }
      assert.strictEqual((await ask("GET", content, { headers: { range: "bytes=20-" } })).status, 416)
      const head = await ask("HEAD", content)
      assert.deepStrictEqual([head.status, head.headers.get("content-length"), head.text], [200, "10", ""])
    }))

  it("is written whole, on conditions", () =>
    withHouse(async ({ ask, terminal, workspace }) => {
      const content = `/api/v1/sessions/${await terminal()}/files/content?path=deep/er/note.txt`
      const body = new TextEncoder().encode("hello")
      const made = await ask("PUT", content, { body, headers: { "if-none-match": "*" } })
      assert.deepStrictEqual([made.status, made.json.created, made.json.hash], [200, true, hashOf("hello")])
      const again = await ask("PUT", content, { body, headers: { "if-none-match": "*" } })
      assert.deepStrictEqual([again.status, again.json.kind, again.json.status], [412, "illegal_state", 412])
      const stale = { "if-match": `"${hashOf("other")}"` }
      assert.strictEqual((await ask("PUT", content, { body, headers: stale })).status, 412)
      const changed = new TextEncoder().encode("changed")
      const current = { "if-match": `"${made.json.hash}"` }
      assert.strictEqual((await ask("PUT", content, { body: changed, headers: current })).status, 200)
      assert.strictEqual(readFileSync(join(workspace, "deep/er/note.txt"), "utf8"), "changed")
      assert.strictEqual(
        (await ask("PUT", content, { body, headers: { "if-match": "nonsense" } })).json.field,
        "if-match"
      )
    }))

  it("takes large files in pieces, up to a bound that it names", () =>
    withHouse(
      async ({ ask, terminal, workspace }) => {
        const content = `/api/v1/sessions/${await terminal()}/files/content?path=large.bin`
        const large = new Uint8Array(3 * 1024 * 1024).fill(7)
        const written = await ask("PUT", content, { body: large })
        assert.strictEqual(written.json.hash, hashOf(large))
        const tooLarge = await ask("PUT", content, { body: new Uint8Array(5 * 1024 * 1024) })
        assert.deepStrictEqual([tooLarge.status, tooLarge.json.kind], [413, "too_large"])
        assert.strictEqual(readFileSync(join(workspace, "large.bin")).byteLength, large.byteLength)
      },
      { limits: { maxUploadBytes: 4 * 1024 * 1024 } }
    ))

  it("takes uploads of several files, each under its own name and nowhere else", () =>
    withHouse(async ({ ask, terminal, workspace }) => {
      const upload = `/api/v1/sessions/${await terminal()}/files/upload?path=in`
      const form = new FormData()
      form.append("files", new Blob(["one"]), "one.txt")
      form.append("files", new Blob(["two"]), "../../two.txt")
      form.append("note", "no file")
      const { json, status } = await ask("POST", upload, { body: form })
      assert.strictEqual(status, 200)
      assert.deepStrictEqual(
        json.files.map(({ facts }: Parsed) => facts.path),
        ["in/one.txt", "in/two.txt"]
      )
      assert.isFalse(existsSync(join(workspace, "..", "two.txt")))
      assert.strictEqual((await ask("POST", upload, { body: new FormData() })).json.field, "files")
    }))

  it("runs a command to its end, and ends one that takes too long", () =>
    withHouse(async ({ ask, terminal }) => {
      const exec = `/api/v1/sessions/${await terminal()}/exec`
      const { json } = await ask("POST", exec, {
        body: { command: "cat; echo bad >&2; exit 3", shell: true, input: "typed" }
      })
      assert.strictEqual(Buffer.from(json.stdout, "base64").toString(), "typed")
      assert.strictEqual(Buffer.from(json.stderr, "base64").toString(), "bad\n")
      assert.deepStrictEqual([json.exitCode, json.timedOut], [3, false])
      const late = await ask("POST", exec, { body: { command: "sleep", args: ["60"], timeoutMs: 100 } })
      assert.strictEqual(late.json.timedOut, true)
      assert.strictEqual((await ask("POST", exec, { body: { command: "no-such-program" } })).json.kind, "not_found")
    }))
})
