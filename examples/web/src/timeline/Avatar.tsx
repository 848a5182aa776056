/** Who did something: a circle with initials, and a name. */
import type { Actor } from "@holdfast/core"
import { hueOf, initials } from "./Phrases.ts"
import { isYou, nameOf, useScope } from "./SessionScope.ts"

/** The circle alone; the name stands beside it, or in a label. */
export const Avatar = ({ actor }: { readonly actor: Actor | null }) => {
  const scope = useScope()
  return (
    <span className="tl-avatar" style={{ "--hue": hueOf(actor ?? "") } as React.CSSProperties} aria-hidden="true">
      {initials(nameOf(scope, actor))}
    </span>
  )
}

/** The name, with a word where it is your own. */
export const AuthorName = ({ actor }: { readonly actor: Actor | null }) => {
  const scope = useScope()
  return (
    <span className="tl-name">
      {nameOf(scope, actor)}
      {isYou(scope, actor) && <span className="tl-you"> you</span>}
    </span>
  )
}
