/**
 * What a log keeps is JSON. A backend hands over values of the program that it runs in, and what it says has to mean the
 * same before and after it was stored.
 */

/** Deeper than any event means something; past it a value is copied, where JSON can say it. */
const maxDepth = 64

/** JSON has a word for it, and reads it back as it is: not so for infinity, and `-0` would come back as 0. */
const isPlainNumber = (value: number): boolean => Number.isFinite(value) && !Object.is(value, -0)

const isPlainObject = (value: object): boolean => {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/** What {@link copyPlainJson} gives for what only JSON itself can say. */
const notPlain = Symbol("notPlain")

const copyOf = (value: unknown, depth: number): unknown => {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value
    case "number":
      return isPlainNumber(value) ? value : notPlain
    case "object":
      break
    default:
      return notPlain
  }
  if (value === null) return value
  if (depth === 0) return notPlain
  if (Array.isArray(value)) {
    const copy: Array<unknown> = []
    // By index: a hole is `undefined`, which is not plain.
    for (let index = 0; index < value.length; index++) {
      const each = copyOf(value[index], depth - 1)
      if (each === notPlain) return notPlain
      copy.push(each)
    }
    return copy
  }
  if (!isPlainObject(value)) return notPlain
  // A spread makes all its properties at once, and calls each getter once: what was looked at is what is kept.
  const copy: Record<string, unknown> = { ...value }
  for (const key in copy) {
    const own = copy[key]
    if (typeof own === "string") continue
    const each = copyOf(own, depth - 1)
    if (each === notPlain) return notPlain
    if (each !== own) copy[key] = each
  }
  return copy
}

/**
 * A copy that shares no object with the value, and is what its JSON would be read as; undefined where the value is not plain JSON, or
 * throws when it is looked at. Some three times faster than to write JSON and read it.
 */
export const copyPlainJson = (value: unknown): unknown => {
  try {
    const copy = copyOf(value, maxDepth)
    return copy === notPlain ? undefined : copy
  } catch {
    // A getter, or a proxy: JSON says whether it has a word for it.
    return undefined
  }
}

/**
 * A plain copy of what JSON can say, without what JSON leaves out; undefined where it cannot: cycles, big integers, bytes, endless
 * depth, a `toJSON` that throws.
 */
export const toPlainJson = (value: unknown): unknown => {
  const copy = copyPlainJson(value)
  if (copy !== undefined) return copy
  try {
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
