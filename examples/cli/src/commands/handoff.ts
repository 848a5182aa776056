/** `holdfast handoff`: a session goes on somewhere else. */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { resolve } from "node:path"
import { usage } from "../ExitCode.ts"
import { cloudProviders } from "../sandbox/CloudRun.ts"
import { settings } from "../Settings.ts"
import { sessionArgument } from "../store/FindSession.ts"

/** `holdfast handoff`. */
export const handoff = Command.make(
  "handoff",
  {
    session: sessionArgument,
    to: Flag.Literals("to", ["local", ...cloudProviders]).pipe(
      Flag.withDescription("Where it goes: to this machine, or into a sandbox of this kind")
    ),
    cwd: Flag.String("cwd").pipe(
      Flag.withMetavar("dir"),
      Flag.withDescription("With --to local: where its workspace is brought to; default: where it was on this machine"),
      Flag.optional
    ),
    image: Flag.String("image").pipe(
      Flag.withMetavar("name"),
      Flag.withDescription("With --to docker: what the container is made from"),
      Flag.optional
    ),
    restart: Flag.Boolean("restart").pipe(
      Flag.withDescription("Start its program anew there: the one way to move what runs in a terminal"),
      Flag.withDefault(false),
      Flag.withoutNegation
    )
  },
  Effect.fnUntraced(function* ({ cwd, image, restart, session, to }) {
    const { json, store } = yield* settings
    if (Option.isSome(cwd) && to !== "local")
      return yield* usage("--cwd is a directory of this machine: it goes with --to local")
    if (Option.isSome(image) && to !== "docker") return yield* usage("--image goes with --to docker")
    const { moveSession } = yield* Effect.promise(() => import("../session/MoveSession.ts"))
    const folder = Option.map(cwd, (path) => resolve(path))
    yield* moveSession(
      { store, json, to, cwd: Option.getOrUndefined(folder), image: Option.getOrUndefined(image), restart },
      session
    )
  })
).pipe(
  Command.withDescription(
    "Move a session between this machine and a sandbox once its turn has ended: its log goes on, its workspace with what is not " +
      "committed and what the agent remembers go along. If it fails, the session stays where it was."
  ),
  Command.withShortDescription("Move a session between this machine and a sandbox"),
  Command.withExamples([
    { command: "holdfast handoff 01a2b3c4 --to docker", description: "Go on in a container" },
    { command: "holdfast handoff 01a2b3c4 --to local", description: "And back again" }
  ])
)
