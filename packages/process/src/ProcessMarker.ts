/**
 * The environment variable by which a process that lost its parent, its group and its terminal is still known to belong to
 * a session: children inherit it unless they are started with an environment made from nothing.
 */

/** Name of the variable. */
export const processMarkerName = "HOLDFAST_PROCESS"

/** Its value for what one opening of a session starts: `<sessionId>:<generation>`. */
export const processMarker = (sessionId: string, generation: number): string => `${sessionId}:${generation}`
