/** The HTTP and WebSocket face of a runtime: typed API, live connections, auth and roles. */
export * from "./access/SessionAccess.ts"
export * from "./auth/Authenticator.ts"
export { layerLocalWorkspaces } from "./workspace/LocalWorkspaces.ts"
export * from "./workspace/Workspace.ts"
