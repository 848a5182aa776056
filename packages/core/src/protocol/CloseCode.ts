/** Why a live connection was closed, in the range that RFC 6455 leaves to applications. */

/** Close codes. What a client does about each stands beside it. */
export const CloseCode = {
  /** The server stops, and comes back: connect again after what `goodbye` said. */
  goingAway: 1001,
  /** A message or frame is larger than the limits in `welcome`: a fault of the sender's. Do not send it again. */
  tooLarge: 1009,
  /** A message or frame that the protocol does not know: a fault of the sender's. The reason names the field. */
  malformed: 4400,
  /** The token is missing, wrong, expired or revoked: get another one, then connect again. */
  unauthenticated: 4401,
  /** This origin or host may not connect: configure the server. */
  forbidden: 4403,
  /** Nothing was heard for the time that `welcome` says: connect again. */
  silent: 4408,
  /** More than a limit allows (messages a second, pending commands): connect again, later. */
  tooMany: 4429,
  /** What is sent is not taken for too long: the connection is dead, or the client. */
  stalled: 4430,
  /** Another version of the protocol: get a newer client, or a newer server. */
  version: 4426
} as const
export type CloseCode = (typeof CloseCode)[keyof typeof CloseCode]

/** Whether a client should connect again by itself, with the same token. */
export const shouldReconnect = (code: number): boolean =>
  code !== CloseCode.unauthenticated &&
  code !== CloseCode.forbidden &&
  code !== CloseCode.version &&
  code !== CloseCode.malformed
