/** Times as people read them. */

const full = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" })
const day = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" })

const second = 1_000
const minute = 60 * second
const hour = 60 * minute
const aDay = 24 * hour

/** How long ago, in one short word: `now`, `5m`, `3h`, `2d`, then the date. */
export const ago = (at: number, now: number): string => {
  const past = now - at
  if (past < minute) return "now"
  if (past < hour) return `${Math.floor(past / minute)}m`
  if (past < aDay) return `${Math.floor(past / hour)}h`
  if (past < 7 * aDay) return `${Math.floor(past / aDay)}d`
  return day.format(at)
}

/** Date and time. */
export const moment = (at: number): string => full.format(at)

/** A duration: `4 s`, `3 min 20 s`, `2 h 5 min`, `3 d 2 h`. */
export const span = (ms: number): string => {
  if (ms < minute) return `${Math.max(0, Math.round(ms / second))} s`
  if (ms < hour) return `${Math.floor(ms / minute)} min ${Math.floor((ms % minute) / second)} s`
  if (ms < aDay) return `${Math.floor(ms / hour)} h ${Math.floor((ms % hour) / minute)} min`
  return `${Math.floor(ms / aDay)} d ${Math.floor((ms % aDay) / hour)} h`
}
