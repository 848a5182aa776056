/** Headers of a workspace's files: what they are, and which part of them. */
import type { ContentHash, FileFacts } from "../workspace/Workspace.ts"

/**
 * What a browser may show by itself: pictures that run no script. Everything else in a workspace is somebody's, and from this
 * origin it would speak for whoever looks at it: it is downloaded.
 */
const shown: { readonly [extension: string]: string } = {
  avif: "image/avif",
  gif: "image/gif",
  jpeg: "image/jpeg",
  jpg: "image/jpeg",
  png: "image/png",
  webp: "image/webp"
}

const extensionOf = (name: string): string => /\.([^.]+)$/.exec(name)?.[1]?.toLowerCase() ?? ""

/** The headers of a file's content. */
export const contentHeaders = ({ modifiedAt, name }: FileFacts, tag: string | undefined) => {
  const picture = shown[extensionOf(name)]
  return {
    "content-type": picture ?? "application/octet-stream",
    // RFC 6266: the name in UTF-8, which has no quote and no line end in it.
    "content-disposition": `${picture === undefined ? "attachment" : "inline"}; filename*=UTF-8''${encodeRfc5987(name)}`,
    "content-security-policy": "default-src 'none'; sandbox",
    "last-modified": new Date(modifiedAt).toUTCString(),
    "accept-ranges": "bytes",
    "cache-control": "private, no-cache",
    ...(tag === undefined ? {} : { etag: tag })
  }
}

const encodeRfc5987 = (text: string): string =>
  encodeURIComponent(text.toWellFormed()).replaceAll(/['()*!]/g, (one) => `%${one.codePointAt(0)!.toString(16)}`)

/** The `ETag` of a content. */
export const entityTag = (hash: ContentHash): string => `"${hash}"`

/** The content that a tag of ours names. */
export const parseTag = (tag: string): ContentHash | undefined => /^\s*(?:W\/)?"([0-9a-f]{64})"\s*$/.exec(tag)?.[1]

/** A part of a file. */
export interface ByteRange {
  readonly offset: number
  readonly length?: number
  /** The last so many bytes instead. */
  readonly suffix?: number
}

/** The range of the header `Range` (RFC 9110); undefined for several, or another unit: then the whole is given. */
export const parseRange = (header: string): ByteRange | undefined => {
  const match = /^\s*bytes=(\d{0,15})-(\d{0,15})\s*$/.exec(header)
  if (match === null) return undefined
  const [, from, to] = match
  if (from === "") return to === "" ? undefined : { offset: 0, suffix: Number(to) }
  const offset = Number(from)
  if (to === "") return { offset }
  return Number(to) < offset ? undefined : { offset, length: Number(to) - offset + 1 }
}
