/** What a starting owner tells the process that started it, through an inherited pipe: one JSON text, then its end. */
import { LogUnavailable } from "@holdfast/core"
import * as Schema from "effect/Schema"

/** The pipe's descriptor in the owner. */
export const reportDescriptor = 3

/** It serves (itself, or another owner that was faster), or why it cannot. */
export const OwnerReport = Schema.Union([
  Schema.Struct({ kind: Schema.Literal("serving") }),
  Schema.Struct({ kind: Schema.Literal("failed"), error: LogUnavailable })
])
export type OwnerReport = typeof OwnerReport.Type

const codec = Schema.fromJsonString(Schema.toCodecJson(OwnerReport))

/** To text. */
export const encodeReport = Schema.encodeSync(codec)

/** From text; fails where the owner died before it had said everything. */
export const decodeReport = Schema.decodeUnknownResult(codec)
