/** Who has the session open now, and who writes. */
import type { Identity, Present } from "@holdfast/core"
import { hueOf, initials } from "../timeline/Phrases.ts"

/** Faces that are shown; the rest is counted. */
const maxFaces = 4

const describe = ({ name, role, typing }: Present, isYou: boolean) =>
  `${name}${isYou ? " (you)" : ""}, ${role}${typing ? ", writes" : ""}`

export const People = ({
  present,
  you
}: {
  readonly present: ReadonlyArray<Present>
  readonly you: Identity | null
}) => {
  const writing = present.filter(({ participantId, typing }) => typing && participantId !== you?.participantId)
  const rest = present.length - maxFaces
  return (
    <div className="people">
      <ul aria-label="Who is here">
        {present.slice(0, maxFaces).map((one) => {
          const words = describe(one, one.participantId === you?.participantId)
          return (
            <li
              key={one.participantId}
              className="face"
              data-typing={one.typing}
              title={words}
              style={{ "--hue": hueOf(one.participantId) } as Record<string, number>}
            >
              <span aria-hidden="true">{initials(one.name)}</span>
              <span className="sr-only">{words}</span>
            </li>
          )
        })}
        {rest > 0 ? <li className="face more">+{rest}</li> : null}
      </ul>
      <span className="people-writing" role="status">
        {writing.length === 0
          ? ""
          : `${writing.map(({ name }) => name).join(", ")} ${writing.length === 1 ? "writes" : "write"}…`}
      </span>
    </div>
  )
}
