import { describe, it } from "@effect/vitest"
import { expect } from "vitest"
import { makePlainFace } from "../src/index.ts"
import { moments, richSession } from "./richSession.ts"
import { Watched } from "./session.ts"

/** Marks what is printed for good, and what stands below it at that moment. */
const picture = async (unicode: boolean): Promise<string> => {
  const session = richSession()
  const watched = await Watched.join(session, { cols: 72, rows: 40, unicode })
  const parts: Array<string> = []
  let printed = 0
  for (const { name, until } of moments) {
    until(session)
    await watched.update()
    const { lines } = watched.screen
    parts.push(`=== ${name} ===`, ...lines.slice(printed))
    const ended = await Watched.join(session, { cols: 72, rows: 40, unicode })
    await ended.write(ended.face.end())
    printed = ended.screen.lines.length
  }
  return `${parts.join("\n")}\n`
}

describe("A rich session", () => {
  it("looks in a terminal as it always did", async () => {
    await expect(await picture(true)).toMatchFileSnapshot("golden/terminal.txt")
  })

  it("looks in a terminal without Unicode as it always did", async () => {
    await expect(await picture(false)).toMatchFileSnapshot("golden/terminal-ascii.txt")
  })

  it("reads as plain text as it always did", async () => {
    const session = richSession()
    for (const { until } of moments) until(session)
    const face = makePlainFace({ prompts: true, participant: "host" })
    await expect(face.show(session.records()) + face.end()).toMatchFileSnapshot("golden/plain.txt")
  })
})
