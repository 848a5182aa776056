/** Why a token is not taken, in words that help and never repeat the token. */
import { Schema } from "effect"
import { errors } from "jose"

/** Who speaks is not known. The detail never repeats the token. */
export class Unauthenticated extends Schema.TaggedError<Unauthenticated>("@holdfast/server/Unauthenticated")(
  "Unauthenticated",
  {
    detail: Schema.String,
    /** Too many failures came from that address: when the next one is heard. */
    retryAfterMs: Schema.optionalKey(Schema.Int)
  }
) {
  override get message() {
    return this.detail
  }
}

/** Whether a token is good cannot be told now: its issuer's keys cannot be had. The token may well be good. */
export class AuthUnavailable extends Schema.TaggedError<AuthUnavailable>("@holdfast/server/AuthUnavailable")(
  "AuthUnavailable",
  { detail: Schema.String, retryAfterMs: Schema.Int, cause: Schema.Defect() }
) {
  override get message() {
    return this.detail
  }
}

/** Longest token that is looked at, in characters: the live protocol's bound too. */
export const maxTokenLength = 16_384

/** A token that is not taken, by what `jose` found. Undefined where the fault is not the token's. */
export const refusalOf = (error: unknown, algorithms: ReadonlyArray<string>): Unauthenticated | undefined => {
  const detail = detailOf(error, algorithms)
  return detail === undefined ? undefined : new Unauthenticated({ detail })
}

const detailOf = (error: unknown, algorithms: ReadonlyArray<string>): string | undefined => {
  if (error instanceof errors.JWTExpired) return "the token has expired: get a new one"
  if (error instanceof errors.JWTClaimValidationFailed) return claimDetail(error)
  if (error instanceof errors.JOSEAlgNotAllowed || error instanceof errors.JOSENotSupported) {
    return `the token is signed in a way that this server does not take: use ${algorithms.join(" or ")}`
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) return "the token's signature is not valid"
  if (error instanceof errors.JWKSNoMatchingKey)
    return "the token is signed with a key that its issuer does not publish"
  if (error instanceof errors.JWKSMultipleMatchingKeys)
    return "the token does not say which of its issuer's keys it uses (kid)"
  if (error instanceof errors.JWSInvalid || error instanceof errors.JWTInvalid) return "this is not a JSON Web Token"
  // A key of another kind than the algorithm's, which the token's header has chosen.
  if (error instanceof TypeError && error.cause === undefined)
    return "the token's key and algorithm do not fit together"
  return undefined
}

const claimDetail = ({ claim, reason }: errors.JWTClaimValidationFailed): string => {
  if (reason === "missing") return `the token has no claim ${claim}, which this server needs`
  if (claim === "nbf") return "the token is not valid yet: compare the clocks"
  if (reason === "invalid") return `the token's claim ${claim} has the wrong type`
  if (claim === "typ") return "the token is of another kind"
  return `the token's claim ${claim} is not what this server expects`
}
