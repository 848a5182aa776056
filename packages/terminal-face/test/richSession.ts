/** One session in which everything happens that a face shows. */
import type { Observed } from "@holdfast/core"
import type { SimulatedSession } from "@holdfast/testkit"
import { delta, item, message, openSession, prompt, request, startTurn, turn, whole } from "./session.ts"

const tool = (name: string, kind: string, more: object = {}) => ({ name, kind, status: "completed", ...more })

const completed = (id: string, data: object): Observed =>
  ({ type: "item.completed", data: { itemId: item(id), turnId: turn("t1"), status: "completed", ...data } }) as Observed

const diff = `--- a/src/parser.ts
+++ b/src/parser.ts
@@ -10,4 +10,5 @@ export const parse = (text: string) => {
   const tokens = lex(text)
-  return tree(tokens[0])
+  if (tokens.length === 0) return emptyTree
+  return tree(tokens)
 }
`

/** A moment of a session: what it is called, and what happens up to it. */
export interface Moment {
  readonly name: string
  readonly until: (session: SimulatedSession) => void
}

/** The moments of the session, in order. */
export const moments: ReadonlyArray<Moment> = [
  {
    name: "a message streams while a prompt waits",
    until: (session) => {
      session.command({
        type: "participant.join",
        data: { participantId: "ann" as never, name: "Ann", role: "member" }
      })
      startTurn(session, "The parser crashes on empty input.\nFix it, and add a test.")
      prompt(session, "Then publish it", {}, "ann")
      session.tell([
        completed("think", { kind: "reasoning", text: "An empty list of tokens has no first one." }),
        ...message("m1", "I will look at the parser, and reproduce the crash with a test. 漢字 and 👩‍💻 have ")
      ])
    }
  },
  {
    name: "a tool runs, a plan is made",
    until: (session) =>
      session.tell([
        whole("m1", "I will look at the parser, and reproduce the crash with a test. 漢字 and 👩‍💻 have their width."),
        {
          type: "item.started",
          data: { itemId: item("plan"), turnId: turn("t1"), kind: "plan" }
        },
        {
          type: "item.updated",
          data: {
            itemId: item("plan"),
            entries: [
              { content: "Reproduce the crash", status: "completed" },
              { content: "Fix the parser", status: "in_progress" },
              { content: "Run the tests", status: "pending" }
            ]
          }
        },
        completed("read", { kind: "tool_call", tool: tool("read", "read", { title: "src/parser.ts" }) }),
        {
          type: "item.started",
          data: {
            itemId: item("test"),
            turnId: turn("t1"),
            kind: "tool_call",
            tool: { name: "bash", kind: "execute", status: "in_progress", input: { command: "npm test" } }
          }
        },
        delta("test", "> test\n\u001b[32mok\u001b[0m 1 parses\n10%\r50%\r100%\nok 2 fails on nothing\n", "output")
      ])
  },
  {
    name: "a permission is asked for",
    until: (session) =>
      session.tell([
        completed("test", {
          kind: "tool_call",
          status: "failed",
          tool: tool("bash", "execute", { status: "failed", input: { command: "npm test" }, exitCode: 1 }),
          output: Array.from({ length: 40 }, (_, index) => `not ok ${index + 1}\n`).join("")
        }),
        {
          type: "permission.requested",
          data: {
            requestId: request("edit"),
            turnId: turn("t1"),
            title: "Edit src/parser.ts",
            description: "The agent wants to write outside of its sandbox.",
            options: [
              { optionId: "once", name: "Allow once", kind: "allow_once" },
              { optionId: "always", name: "Always allow edits", kind: "allow_always" },
              { optionId: "no", name: "Reject", kind: "reject_once" }
            ]
          }
        }
      ])
  },
  {
    name: "questions are asked",
    until: (session) => {
      session.command(
        {
          type: "permission.resolve",
          data: { requestId: request("edit"), outcome: { outcome: "selected", optionId: "once" } }
        },
        "ann"
      )
      session.tell([
        {
          type: "item.started",
          data: { itemId: item("edit"), kind: "tool_call", tool: tool("edit", "edit") as never }
        },
        {
          type: "file.changed",
          data: { path: "src/parser.ts", change: "modified", additions: 2, deletions: 1, diff, itemId: item("edit") }
        },
        completed("edit", { kind: "tool_call", tool: tool("edit", "edit", { title: "src/parser.ts" }) }),
        completed("sub", {
          kind: "tool_call",
          parentId: item("edit"),
          tool: tool("grep", "search", { title: "emptyTree" }),
          output: "src/tree.ts:3:export const emptyTree = {}"
        }),
        {
          type: "question.asked",
          data: {
            requestId: request("ask"),
            turnId: turn("t1"),
            questions: [
              {
                questionId: "release",
                header: "Release",
                text: "Which release should this go into?",
                options: [{ label: "patch", description: "nothing else changes" }, { label: "minor" }],
                multiple: false,
                freeText: true
              },
              { questionId: "token", text: "The token?", options: [], multiple: false, freeText: true, secret: true }
            ]
          }
        }
      ])
    }
  },
  {
    name: "the turn has ended, and the next one failed",
    until: (session) => {
      const answers = { release: ["patch"], token: ["hunter2"] }
      session.command({
        type: "question.answer",
        data: { requestId: request("ask"), outcome: { outcome: "answered", answers } }
      })
      session.tell([
        completed("plan", {
          kind: "plan",
          entries: ["Reproduce the crash", "Fix the parser", "Run the tests"].map((content) => ({
            content,
            status: "completed"
          }))
        }),
        ...message("m2"),
        whole("m2", "Done:\n\n    return tree(tokens)\n\nThe crash is gone."),
        {
          type: "usage.reported",
          data: { turnId: turn("t1"), usage: { inputTokens: 45_678, outputTokens: 1_234, costUsd: 0.0456 } }
        }
      ])
      session.wait(83_000)
      session.tell([{ type: "turn.completed", data: { turnId: turn("t1"), outcome: "completed" } }])
      session.tell([
        { type: "workspace.committed", data: { sha: "0123456789abcdef", message: "Parse nothing\n\nIt crashed." } },
        {
          type: "artifact.added",
          data: {
            artifactId: "pr" as never,
            artifact: { kind: "pull_request", title: "Parse nothing", url: "https://example.org/pull/7", state: "open" }
          }
        }
      ])
      const [waiting] = session.state().prompts
      const error = { message: "The provider is overloaded", retryable: true }
      session.tell([
        { type: "prompt.delivered", data: { promptId: waiting!.promptId as never, turnId: turn("t2") } },
        { type: "turn.started", data: { turnId: turn("t2") } },
        { type: "turn.retrying", data: { turnId: turn("t2"), attempt: 2, error } },
        { type: "turn.completed", data: { turnId: turn("t2"), outcome: "failed", error } },
        { type: "backend.closed", data: { reason: "asked for", exitCode: 0 } }
      ])
    }
  }
]

/** The session before its first moment. */
export const richSession = (): SimulatedSession => openSession()
