/** Small texts for people: sizes, ages, times, and whatever a program may have put into a title. */
import { displayWidth } from "effect/cli/CliOutput"

const units = ["B", "KB", "MB", "GB", "TB"]

/** `0 B`, `812 B`, `1.2 KB`, `34 MB`. */
export const size = (bytes: number): string => {
  let value = bytes
  let unit = 0
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000
    unit++
  }
  return `${unit === 0 || value >= 9.95 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`
}

const steps: ReadonlyArray<readonly [unit: string, ms: number]> = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1_000]
]

/** `now`, `12s`, `5m`, `3h`, `9d`. */
export const age = (ms: number): string => {
  for (const [unit, length] of steps) if (ms >= length) return `${Math.floor(ms / length)}${unit}`
  return "now"
}

/** `14:03:27.512`, in the person's time zone. */
export const timeOfDay = (at: number): string => {
  const date = new Date(at)
  const two = (value: number) => String(value).padStart(2, "0")
  const clock = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":")
  return `${clock}.${String(date.getMilliseconds()).padStart(3, "0")}`
}

/** Escape sequences with what belongs to them: control sequences, strings (titles, links), and those of two or three bytes. */
const escapes = /\u001b\[[0-?]*[ -/]*[@-~]|\u001b[\]P^_X][^\u0007\u001b]*(?:\u0007|\u001b\\)?|\u001b[ -/]*[0-~]?/g

/** Characters that a terminal acts on, or that end a line. */
const controls = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g

/** One line that no terminal acts on: escape sequences go, other control characters become blanks. */
export const oneLine = (text: string): string => text.replaceAll(escapes, "").replaceAll(controls, " ").trim()

/** As {@link oneLine}, with a single blank for many: what a line of output says, and not where it says it. */
export const gist = (text: string): string => oneLine(text).replaceAll(/ {2,}/g, " ")

/** As {@link oneLine}, and at most this many columns wide. */
export const fit = (text: string, columns: number): string => {
  const whole = oneLine(text)
  if (displayWidth(whole) <= columns) return whole
  let kept = ""
  for (const { segment } of new Intl.Segmenter().segment(whole)) {
    if (displayWidth(kept + segment) > columns - 1) break
    kept += segment
  }
  return `${kept}…`
}

/** Fills up to a width in columns. */
export const pad = (text: string, columns: number): string =>
  text + " ".repeat(Math.max(0, columns - displayWidth(text)))

/** `1 event`, `2 events`. */
export const count = (many: number, one: string, several = `${one}s`): string =>
  `${many.toLocaleString("en")} ${many === 1 ? one : several}`
