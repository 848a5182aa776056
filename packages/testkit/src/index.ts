/**
 * Test parts for hosts, backends and logs, a scripted model for agents, and a fault proxy for anything on a network. The
 * conformance suites are in `@holdfast/testkit/suites`, which needs vitest.
 */
export * from "./ContainerEngine.ts"
export * from "./eventArbitraries.ts"
export * from "./faults/faultArbitraries.ts"
export type { FaultDirection } from "./faults/FaultConnection.ts"
export * from "./faults/FaultProxy.ts"
export {
  ConnectionFaults,
  describeSchedule,
  FaultEnding,
  FaultSchedule,
  LaneFaults,
  Reordering
} from "./faults/FaultSchedule.ts"
export * from "./GitServer.ts"
export { type AgentHome } from "./model/AgentHome.ts"
export * from "./model/agentTools.ts"
export * from "./model/CodexHome.ts"
export {
  type AnswerState,
  type ModelDialectName,
  type ModelPurpose,
  type ModelRequest,
  type RecordedRequest,
  type ToolResult
} from "./model/ModelRequest.ts"
export { type ModelAnswer, type ModelRule, type ModelScript } from "./model/ModelScript.ts"
export * as ModelStep from "./model/ModelStep.ts"
export * from "./model/OpencodeHome.ts"
export { ModelWaitExpired } from "./model/RequestRecord.ts"
export * from "./model/ScriptedModel.ts"
export * from "./newEventArbitraries.ts"
export * from "./ReadSession.ts"
export * from "./sessionArbitraries.ts"
export * from "./simulatedSession.ts"
export * as Script from "./Script.ts"
export * from "./ScriptedAgent.ts"
export * from "./ScriptedBackend.ts"
export * from "./ScriptedNatives.ts"
export * from "./ScriptedSession.ts"
export * from "./toldSession.ts"
