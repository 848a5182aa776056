/** Who has a session open, and who writes a prompt: told to everybody who has it open, and nowhere recorded. */
import type { Identity, Present, SessionId } from "@holdfast/core"

/** Most people of a session that are told of, those who write first: 100. A list of them has some 10 KB. */
export const maxPresent = 100

/** Typing ends by itself after this many milliseconds: 6 s; a client says it again while it goes on. */
export const typingMs = 6_000

/** A connection of somebody who has sessions open. */
export interface PresenceMember {
  readonly identity: Identity
  /** Gets the newest list, as the JSON of a `presence` message. One that is not taken at once is replaced by a newer one. */
  readonly showPresent: (sessionId: SessionId, message: string) => void
}

interface Room {
  readonly members: Map<PresenceMember, { count: number; typingUntil: number }>
  /** What is to be told at the next tick. */
  changed: boolean
  typists: number
}

/** Who is where. */
export interface Presence {
  /** A connection opened the session, once more. Whoever opens it is shown the list at once, the others at the next tick. */
  readonly enter: (sessionId: SessionId, member: PresenceMember) => void
  readonly leave: (sessionId: SessionId, member: PresenceMember) => void
  /** Whether it began to type just now. Without effect where the connection does not have the session open. */
  readonly type: (sessionId: SessionId, member: PresenceMember, typing: boolean, now: number) => boolean
  /** Somebody is called otherwise now. */
  readonly rename: (member: PresenceMember) => void
  /** Tells what has changed since the last time, and ends typing whose time is up. */
  readonly tick: (now: number) => void
  readonly rooms: () => number
}

/**
 * Makes a presence where nobody is. Joins changes until its `tick`. `onPeople` is told when a connection came or went, with a
 * way to ask how many people there are.
 */
export const makePresence = (
  onPeople: (sessionId: SessionId, people: () => number) => void = () => undefined
): Presence => {
  const rooms = new Map<SessionId, Room>()
  /** Rooms to look at in the next tick. */
  const busy = new Set<SessionId>()

  const messageOf = (sessionId: SessionId, room: Room): string => {
    const people = new Map<string, Present>()
    for (const [member, { typingUntil }] of room.members) {
      const { name, participantId, role } = member.identity
      const typing = typingUntil > 0 || people.get(participantId)?.typing === true
      people.set(participantId, { participantId, name, role, typing })
    }
    const present = [...people.values()]
    if (present.length > maxPresent) present.sort((a, b) => Number(b.typing) - Number(a.typing))
    return JSON.stringify({ type: "presence", sessionId, present: present.slice(0, maxPresent) })
  }

  const people = (sessionId: SessionId): number => {
    const ids = new Set<string>()
    for (const { identity } of rooms.get(sessionId)?.members.keys() ?? []) ids.add(identity.participantId)
    return ids.size
  }

  const change = (sessionId: SessionId, room: Room) => {
    room.changed = true
    busy.add(sessionId)
  }

  return {
    enter: (sessionId, member) => {
      let room = rooms.get(sessionId)
      if (room === undefined) {
        room = { members: new Map(), changed: false, typists: 0 }
        rooms.set(sessionId, room)
      }
      const known = room.members.get(member)
      if (known !== undefined) {
        known.count++
        return
      }
      room.members.set(member, { count: 1, typingUntil: 0 })
      onPeople(sessionId, () => people(sessionId))
      member.showPresent(sessionId, messageOf(sessionId, room))
      if (room.members.size > 1) change(sessionId, room)
    },
    leave: (sessionId, member) => {
      const room = rooms.get(sessionId)
      const known = room?.members.get(member)
      if (room === undefined || known === undefined) return
      known.count--
      if (known.count > 0) return
      room.members.delete(member)
      onPeople(sessionId, () => people(sessionId))
      if (known.typingUntil > 0) room.typists--
      if (room.members.size > 0) return change(sessionId, room)
      rooms.delete(sessionId)
      busy.delete(sessionId)
    },
    type: (sessionId, member, typing, now) => {
      const room = rooms.get(sessionId)
      const known = room?.members.get(member)
      if (room === undefined || known === undefined) return false
      const before = known.typingUntil > 0
      known.typingUntil = typing ? now + typingMs : 0
      if (before === typing) return false
      room.typists += typing ? 1 : -1
      change(sessionId, room)
      return typing
    },
    rename: (member) => {
      for (const [sessionId, room] of rooms) if (room.members.has(member)) change(sessionId, room)
    },
    tick: (now) => {
      for (const sessionId of busy) {
        const room = rooms.get(sessionId)!
        if (room.typists > 0) {
          for (const known of room.members.values()) {
            if (known.typingUntil === 0 || known.typingUntil > now) continue
            known.typingUntil = 0
            room.typists--
            room.changed = true
          }
        }
        if (room.changed) {
          room.changed = false
          const message = messageOf(sessionId, room)
          for (const member of room.members.keys()) member.showPresent(sessionId, message)
        }
        // Whose typing has to end is looked at again.
        if (room.typists === 0) busy.delete(sessionId)
      }
    },
    rooms: () => rooms.size
  }
}
