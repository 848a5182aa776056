/** With which status a bridge exits. */
export const ExitStatus = {
  /** As it was told to: the session is gone, a `shutdown`, SIGTERM or SIGINT. */
  ended: 0,
  /** The control plane refused it for good: another version of the protocol, or a quota. */
  refused: 3,
  /** No control plane for the whole lifetime. */
  alone: 4,
  /** The environment is not what it should be; what is wrong was said. */
  badSettings: 64,
  /** The address to listen at cannot be had. */
  cannotListen: 69,
  /** A bug: please report what was said. */
  internal: 70,
  /** The data folder cannot be used, or another bridge uses it. */
  dataUnusable: 73
} as const
