/** Reads server-sent events off a response, one at a time and no further than asked. */

/** One event, or a comment. */
export interface ServerSentEvent {
  readonly id?: string
  readonly event?: string
  readonly data?: unknown
}

/** The events of a response. */
export async function* readEvents(response: Response): AsyncGenerator<ServerSentEvent, void, void> {
  let text = ""
  const decoder = new TextDecoder()
  for await (const chunk of response.body!) {
    text += decoder.decode(chunk as Uint8Array, { stream: true })
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const event: { id?: string; event?: string; data?: unknown } = {}
      for (const line of text.slice(0, end).split("\n")) {
        if (line.startsWith("id: ")) event.id = line.slice(4)
        if (line.startsWith("event: ")) event.event = line.slice(7)
        if (line.startsWith("data: ")) event.data = JSON.parse(line.slice(6))
      }
      text = text.slice(end + 2)
      yield event
    }
  }
}
