/** Files that are put into a sandbox and taken from it. */
import { Effect } from "effect"
import { randomBytes } from "node:crypto"
import { describe, expect } from "vitest"
import { refusal, type SharedSandboxTest } from "./sandboxProviderHarness.ts"

const encode = (text: string) => new TextEncoder().encode(text)

/** 64 MiB and a byte. */
const tooLarge = 64 * 1024 * 1024 + 1

const contents: ReadonlyArray<readonly [what: string, bytes: Uint8Array]> = [
  ["every byte", Uint8Array.from({ length: 256 }, (_, byte) => byte)],
  ["nothing", new Uint8Array()],
  ["line ends of all kinds", encode("a\r\nb\rc\n\n")],
  ["10 MB", randomBytes(10_000_000)]
]

/** Registers them. */
export const sandboxFileTests = (sharedTest: () => SharedSandboxTest): void => {
  describe("files", () => {
    const test = sharedTest()
    test("come back byte by byte as they were put, and are what programs see", (bench, sandboxId) =>
      Effect.gen(function* () {
        const { provider } = bench
        const path = `${yield* bench.place(sandboxId, "HOLDFAST_WORKSPACE")}/file`
        for (const [what, bytes] of contents) {
          yield* provider.putFile(sandboxId, path, bytes)
          const got = yield* provider.getFile(sandboxId, path)
          expect(Buffer.compare(Buffer.from(got), Buffer.from(bytes)), `of ${what}`).toBe(0)
          expect((yield* bench.sh(sandboxId, "wc -c <file")).out.trim()).toBe(String(bytes.length))
        }
      }))

    test("take the place of what was there, and belong to the sandbox's own user", (bench, sandboxId) =>
      Effect.gen(function* () {
        const { provider } = bench
        const path = `${yield* bench.place(sandboxId, "HOLDFAST_WORKSPACE")}/file`
        yield* provider.putFile(sandboxId, path, encode("long enough to leave a rest"))
        yield* provider.putFile(sandboxId, path, encode("short"))
        expect(yield* bench.sh(sandboxId, "echo more >>file && cat file")).toEqual({
          code: 0,
          out: "shortmore\n",
          err: ""
        })
        yield* bench.sh(sandboxId, "printf 'by a \\0 program' >file")
        expect(new TextDecoder().decode(yield* provider.getFile(sandboxId, path))).toBe("by a \0 program")
        expect((yield* bench.sh(sandboxId, "ls -A")).out, "and nothing is left beside it").toBe(".stand-in\nfile\n")
      }))

    test("have the mode that was asked for, and can be read by their user else", (bench, sandboxId) =>
      Effect.gen(function* () {
        const { provider } = bench
        const folder = yield* bench.place(sandboxId, "HOLDFAST_WORKSPACE")
        const modeOf = (name: string) => Effect.map(bench.sh(sandboxId, `ls -l ${name}`), ({ out }) => out.slice(0, 10))
        yield* provider.putFile(sandboxId, `${folder}/plain`, encode("x"))
        expect(yield* modeOf("plain")).toBe("-rw-r--r--")
        yield* provider.putFile(sandboxId, `${folder}/run`, encode("#!/bin/sh\necho ran\n"), 0o755)
        expect(yield* modeOf("run")).toBe("-rwxr-xr-x")
        expect((yield* bench.sh(sandboxId, "./run")).out).toBe("ran\n")
        yield* provider.putFile(sandboxId, `${folder}/secret`, encode("x"), 0o600)
        expect(yield* modeOf("secret")).toBe("-rw-------")
      }))

    test("may have any name", (bench, sandboxId) =>
      Effect.gen(function* () {
        const { provider } = bench
        const folder = yield* bench.place(sandboxId, "HOLDFAST_WORKSPACE")
        for (const name of ["two words", "-dash", `'"$HOME`, "line\nend", "ünï→☃"]) {
          yield* provider.putFile(sandboxId, `${folder}/${name}`, encode(name))
          expect(new TextDecoder().decode(yield* provider.getFile(sandboxId, `${folder}/${name}`))).toBe(name)
        }
        expect((yield* bench.sh(sandboxId, `cat "./two words"`)).out).toBe("two words")
      }))

    test("are refused with a reason where there is no folder, no file, or too much", (bench, sandboxId) =>
      Effect.gen(function* () {
        const { provider } = bench
        const folder = yield* bench.place(sandboxId, "HOLDFAST_WORKSPACE")
        yield* refusal(provider.putFile(sandboxId, `${folder}/no/such/folder/file`, encode("x")), "not_found")
        yield* refusal(provider.getFile(sandboxId, `${folder}/no-such-file`), "not_found")
        yield* refusal(provider.putFile(sandboxId, folder, encode("x")), "invalid")
        yield* refusal(provider.getFile(sandboxId, folder), "invalid")
        yield* refusal(provider.putFile(sandboxId, "relative", encode("x")), "invalid")
        yield* refusal(provider.getFile(sandboxId, "relative"), "invalid")
        yield* refusal(provider.putFile(sandboxId, `${folder}/large`, new Uint8Array(tooLarge)), "invalid")
        yield* bench.sh(sandboxId, `head -c ${tooLarge} /dev/zero >large`)
        yield* refusal(provider.getFile(sandboxId, `${folder}/large`), "invalid")
        expect((yield* bench.sh(sandboxId, "ls -A")).out).toBe(".stand-in\nlarge\n")
      }))
  })
}
