/**
 * What cloud sessions are made of, beside the domain: the contract of sandbox providers, and the protocol between a bridge in
 * a sandbox and its control plane. An entry of its own, so that browsers do not load it.
 */
export * from "./cloud/BackendCommandJson.ts"
export * from "./cloud/BridgeBundle.ts"
export * from "./cloud/BridgeFrame.ts"
export * from "./cloud/BridgeGateway.ts"
export * from "./cloud/BridgeMessage.ts"
export * from "./cloud/SandboxProvider.ts"
