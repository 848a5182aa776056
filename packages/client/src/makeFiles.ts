/** Makes the {@link SessionFiles} of a session. */
import { DirectoryAnswer, FileAnswer, UploadAnswer, WrittenAnswer } from "@holdfast/core"
import type { HttpCaller } from "./HttpCaller.ts"
import type { SessionFiles } from "./SessionFiles.ts"

/** How long a file may take on its way: 10 minutes. */
const transferMs = 600_000

/** Makes the files of what is at `path` of the API. */
export const makeFiles = (http: HttpCaller, path: string): SessionFiles => ({
  list: (directory = "", { after, limit, signal } = {}) =>
    http.json(DirectoryAnswer, {
      method: "GET",
      path: `${path}/files`,
      query: { path: directory, after, limit },
      signal
    }),
  facts: (file, options) =>
    http.json(FileAnswer, {
      method: "GET",
      path: `${path}/files`,
      query: { path: file, facts: true },
      signal: options?.signal
    }),
  read: async (file, options) => {
    const { bytes, headers } = await http.bytes({
      method: "GET",
      path: `${path}/files/content`,
      query: { path: file },
      timeoutMs: transferMs,
      signal: options?.signal
    })
    return { bytes, hash: /^(?:W\/)?"([0-9a-f]{64})"$/.exec(headers.get("etag") ?? "")?.[1] ?? null }
  },
  write: (file, content, { ifHash, ifMissing, signal } = {}) =>
    http.json(WrittenAnswer, {
      method: "PUT",
      path: `${path}/files/content`,
      query: { path: file },
      headers: {
        "content-type": "application/octet-stream",
        ...(ifHash === undefined ? {} : { "if-match": `"${ifHash}"` }),
        ...(ifMissing === true ? { "if-none-match": "*" } : {})
      },
      body: bytesOf(content),
      // With a condition, the answer to a repeat would be that it does not hold any more.
      repeatable: ifHash === undefined && ifMissing !== true,
      timeoutMs: transferMs,
      signal
    }),
  upload: async (files, directory = "", options) => {
    const form = new FormData()
    for (const { content, name } of files) {
      form.append("files", content instanceof Blob ? content : new Blob([bytesOf(content)]), name)
    }
    const answer = await http.json(UploadAnswer, {
      method: "POST",
      path: `${path}/files/upload`,
      query: { path: directory },
      body: form,
      timeoutMs: transferMs,
      signal: options?.signal
    })
    return answer.files
  }
})

const bytesOf = (content: string | Uint8Array): Uint8Array<ArrayBuffer> =>
  typeof content === "string" ? new TextEncoder().encode(content) : new Uint8Array(content)
