/** Where things are inside a sandbox that has a file system of its own. */

/** Fixed paths; docs, images and providers use the same ones. */
export const sandboxPlaces = {
  /** `HOME` of whatever runs in it. */
  home: "/home/holdfast",
  /** The session's working directory, `HOLDFAST_WORKSPACE`. */
  workspace: "/workspace",
  /** The bridge's own log, `HOLDFAST_BRIDGE_DATA`. */
  data: "/var/lib/holdfast",
  /** The folder of the control plane's unix socket, read-only, where it is reached by one. */
  controlPlane: "/run/holdfast",
  /** The bridge, in images. */
  program: "/opt/holdfast/holdfast-bridge.mjs"
} as const

/** The user of a sandbox that has users of its own: not root, and not the first user of common images. */
export const sandboxUser = { name: "holdfast", id: 10_001 } as const
