/** What an engine tells while it makes an image: a stream of JSON lines, in which a failure is one more line. */
import type Dockerode from "dockerode"

/** Longest account of a failed build that is kept, in UTF-16 units: its end says why. */
const maxTold = 2_000

interface Told {
  readonly stream?: string
  readonly error?: string
}

/** Waits until the image is made; rejects with what the engine told. */
export const followImport = (docker: Dockerode, answer: NodeJS.ReadableStream): Promise<void> =>
  new Promise((resolve, reject) => {
    let told = ""
    const listen = (line: Told) => {
      told = (told + (line.stream ?? "")).slice(-maxTold)
    }
    docker.modem.followProgress(
      answer,
      (error, lines: ReadonlyArray<Told> | null) => {
        const failed = error?.message ?? lines?.find((line) => line.error !== undefined)?.error
        if (failed === undefined) resolve()
        // As the engine's own refusals have it: the request was wrong, or what it names.
        else reject(Object.assign(new Error(`${failed}\n${told}`.trim()), { statusCode: 400 }))
      },
      listen
    )
  })
