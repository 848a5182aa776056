/** Local terminals as a backend: any program, its bytes, its reports, its end. */
import type { Backend, OpenRequest } from "@holdfast/core"
import { processMarker, processMarkerName } from "@holdfast/process"
import { Effect } from "effect"
import { commandProfile, type LaunchProfile, shellProfile } from "./LaunchProfile.ts"
import { loadNodePty } from "./PtyProcess.ts"
import { openPtySession, ptyCapabilities } from "./PtySession.ts"
import { checkSpec, prepareRecorded } from "./TerminalSpec.ts"

/** Options of {@link ptyBackend}. */
export interface PtyBackendOptions {
  /** Profiles besides `shell` and `command`; one of the same name takes its place. */
  readonly profiles?: ReadonlyArray<LaunchProfile>
  /**
   * Its terminals run on another machine, as in a sandbox: `check` looks at no folder or program of this one, and `open` does.
   * For hosts that only check specs. Default false.
   */
  readonly elsewhere?: boolean
}

/**
 * The backend named `pty`. Its specs are `TerminalSpec`s. Linux and macOS; on Windows it starts programs, but signals, pausing
 * and the output of a program's last moments are as node-pty has them there, and untested.
 *
 * Everything that a program starts ends with it, at the latest when the session's scope closes: also what left its process
 * group, its session or its parent, unless it left its environment behind as well.
 *
 * A known limit of node-pty 1.1.0: on Linux, programs inherit the descriptors of the terminals that were open in the host when
 * they were started. They run as the same user, who may open those terminals anyway.
 */
export const ptyBackend = (options: PtyBackendOptions = {}): Backend => {
  const profiles = new Map(
    [shellProfile, commandProfile, ...(options.profiles ?? [])].map((profile) => [profile.name, profile])
  )
  const open = Effect.fn("pty.open")(function* (request: OpenRequest) {
    const { spec, profile, path, launch, env } = yield* prepareRecorded(profiles, request)
    const nodePty = yield* loadNodePty()
    const { cols, rows } = request.size ?? spec
    const marker = processMarker(request.sessionId, request.generation)
    return yield* openPtySession(nodePty, profile, request, {
      command: path,
      args: launch.args,
      cwd: spec.cwd,
      env: { ...env, [processMarkerName]: marker },
      cols,
      rows
    })
  })
  return {
    name: "pty",
    capabilities: ptyCapabilities(profiles.values()),
    check: (spec) => checkSpec(profiles, spec, options.elsewhere),
    open
  }
}
