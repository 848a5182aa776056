/**
 * What a log keeps is JSON. A backend hands over values of the program that it runs in, and what it says has to mean the
 * same before and after it was stored.
 */

/** Deeper than any event means something; past it a value is copied, where JSON can say it. */
const maxDepth = 64

const isPlain = (value: unknown, depth: number): boolean => {
  switch (typeof value) {
    case "string":
    case "boolean":
      return true
    case "number":
      // JSON has no word for the others, and reads -0 as 0.
      return Number.isFinite(value) && !Object.is(value, -0)
    case "object":
      break
    default:
      return false
  }
  if (value === null) return true
  if (depth === 0) return false
  if (Array.isArray(value)) return value.every((each) => isPlain(each, depth - 1))
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return false
  return Object.values(value).every((each) => isPlain(each, depth - 1))
}

/**
 * The value itself where it is plain JSON; a plain copy where JSON can say it, without what JSON leaves out; undefined
 * where it cannot: cycles, big integers, bytes, endless depth, a `toJSON` that throws.
 */
export const toPlainJson = (value: unknown): unknown => {
  try {
    if (isPlain(value, maxDepth)) return value
    const json: string | undefined = JSON.stringify(value, (_, each: unknown) => refuseBytes(each))
    return json === undefined ? undefined : JSON.parse(json)
  } catch {
    // Every way to fail means the same to the caller: this is not JSON.
    return undefined
  }
}

/** JSON would spell bytes out as an object of numbers, some ten times their size. */
const refuseBytes = (value: unknown): unknown => {
  if (ArrayBuffer.isView(value)) throw new TypeError("bytes are no JSON")
  return value
}
