import { makeSessionId } from "@holdfast/core"
import * as fc from "fast-check"
import { expect, it } from "vitest"
import { hashToken, makeSandboxToken, parseSandboxToken } from "../src/SandboxTokens.ts"

it("Tokens of sandboxes are read as they were made, and differ", () => {
  const sessionId = makeSessionId()
  const tokens = Array.from({ length: 200 }, (_, index) => makeSandboxToken(sessionId, index + 1))
  expect(new Set(tokens).size).toBe(200)
  tokens.forEach((token, index) => {
    expect(token).toMatch(/^[\x21-\x7e]+$/)
    expect(parseSandboxToken(token)).toEqual({ sessionId, generation: index + 1, hash: hashToken(token) })
  })
})

it("Any other text is no token", () => {
  fc.assert(fc.property(fc.string(), (text) => parseSandboxToken(text) === undefined))
  const token = makeSandboxToken(makeSessionId(), 1)
  for (const bad of [token.slice(1), `${token}x`, token.slice(0, -1), token.replace("hfs", "hfx"), `${token}\n`]) {
    expect(parseSandboxToken(bad)).toBeUndefined()
  }
})
