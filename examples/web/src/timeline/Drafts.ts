/** What somebody began to write and has not sent, by session, kept over reloads. */

/** Sessions whose drafts are kept: 50. The one that was changed the longest time ago gives way. */
export const maxDrafts = 50

/** UTF-16 units of one draft that are kept: 50,000. With all of them that is half of what browsers give a page. */
export const maxDraftText = 50_000

const key = "holdfast.drafts"

/** What keeps texts: `localStorage`, or what stands for it. */
export type DraftStorage = Pick<Storage, "getItem" | "setItem">

/** Session and text, the one that was changed last at the end. */
type Kept = ReadonlyArray<readonly [sessionId: string, text: string]>

const isKept = (value: unknown): value is Kept =>
  Array.isArray(value) &&
  value.every((one) => Array.isArray(one) && one.length === 2 && one.every((part) => typeof part === "string"))

const readAll = (storage: DraftStorage): Kept => {
  try {
    const value: unknown = JSON.parse(storage.getItem(key) ?? "[]")
    return isKept(value) ? value : []
  } catch {
    // Somebody else's value, or a storage that the browser forbids: as good as none.
    return []
  }
}

/** The draft of a session; empty where there is none. */
export const readDraft = (storage: DraftStorage, sessionId: string): string =>
  readAll(storage).find(([id]) => id === sessionId)?.[1] ?? ""

/** Keeps a draft; an empty one is forgotten. False where the browser keeps nothing, and then it is gone with the page. */
export const keepDraft = (storage: DraftStorage, sessionId: string, text: string): boolean => {
  const others = readAll(storage).filter(([id]) => id !== sessionId)
  const all = text === "" ? others : [...others, [sessionId, text.slice(0, maxDraftText)] as const]
  try {
    storage.setItem(key, JSON.stringify(all.slice(-maxDrafts)))
    return true
  } catch {
    return false
  }
}
