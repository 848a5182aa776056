import { encodeKeystrokes, makeCommandId } from "@holdfast/core"
import { describe, expect, it } from "vitest"
import { withLiveServer } from "./LiveServer.ts"

describe("a live connection", () => {
  it("gives the events of a session and then what comes, and takes keystrokes", () =>
    withLiveServer(async ({ connect, shell }) => {
      const sessionId = await shell('read x; echo "got $x"; read y')
      const client = await connect()
      client.subscribe(1, sessionId)
      await client.message("subscribed")
      await client.frame(
        "page",
        ({ page }) => page.answer === "caught-up" || ("head" in page && page.cursor === page.head)
      )
      const commandId = makeCommandId()
      client.send(Buffer.from(encodeKeystrokes(sessionId, commandId, Buffer.from("hello\r"))))
      await client.frame("typed", (frame) => frame.commandId === commandId)
      await client.until(() => client.output(1).includes("got hello"))
      expect(client.events(1).map(({ seq }) => seq)).toEqual(client.events(1).map((_, index) => index + 1))
    }))
})
