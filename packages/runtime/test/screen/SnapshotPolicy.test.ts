import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { defaultSnapshotPolicy, isDue, isTime } from "../../src/screen/SnapshotPolicy.ts"
import { retentionTarget, type SnapshotMark } from "../../src/screen/TerminalRetention.ts"

const mib = 1024 * 1024

const counts = { offset: 0, snapshotOffset: 0, snapshotBytes: 0, notBefore: 0, bytesPerMs: 0 }

describe("when a screen is stored", () => {
  it("is due after a mebibyte of output, and later where a snapshot is large", () => {
    assert.isFalse(isDue({ ...counts, offset: mib - 1 }, defaultSnapshotPolicy))
    assert.isTrue(isDue({ ...counts, offset: mib }, defaultSnapshotPolicy))
    assert.isFalse(isDue({ ...counts, offset: 3 * mib, snapshotBytes: mib / 2 }, defaultSnapshotPolicy))
    assert.isTrue(isDue({ ...counts, offset: 4 * mib, snapshotBytes: mib / 2 }, defaultSnapshotPolicy))
    assert.isFalse(isDue({ ...counts, offset: 5 * mib, notBefore: 6 * mib }, defaultSnapshotPolicy))
  })

  it("waits until output is slow, but not for ever", () => {
    assert.isFalse(isTime({ ...counts, offset: 2 * mib }, mib, defaultSnapshotPolicy))
    assert.isTrue(isTime({ ...counts, offset: 2 * mib }, 50 * 1024, defaultSnapshotPolicy))
    assert.isTrue(isTime({ ...counts, offset: 65 * mib }, mib, defaultSnapshotPolicy))
    // 200 MB a second: a second's worth may wait.
    assert.isFalse(isTime({ ...counts, offset: 150 * mib, bytesPerMs: 200_000 }, mib, defaultSnapshotPolicy))
    assert.isTrue(isTime({ ...counts, offset: 200 * mib, bytesPerMs: 200_000 }, mib, defaultSnapshotPolicy))
    assert.isTrue(isTime({ ...counts, offset: 300 * mib, bytesPerMs: 1e9 }, mib, defaultSnapshotPolicy))
  })
})

/** Snapshots about every mebibyte, as they come about. */
const history = fc.array(fc.integer({ min: 1, max: 3 * mib }), { maxLength: 200 }).map((sizes) => {
  let offset = 0
  return sizes.map((size, index): SnapshotMark => {
    offset += size
    return { seq: 10 * index + 5, through: 10 * index + 3, offset }
  })
})

describe("which output goes", () => {
  it("always leaves at least what is to be kept, and not much more", () => {
    fc.assert(
      fc.property(history, fc.integer({ min: 0, max: mib }), (snapshots, rest) => {
        const offset = (snapshots.at(-1)?.offset ?? 0) + rest
        const keep = 20 * mib
        const target = retentionTarget(snapshots, { offset, removed: 0 }, keep)
        if (target === undefined) {
          // Then there is hardly anything that could go.
          assert.isBelow(offset, keep + keep / 8 + 4 * mib)
          return
        }
        assert.isAtLeast(offset - target.offset, keep)
        assert.isBelow(offset - target.offset, keep + 4 * mib)
        assert.isUndefined(retentionTarget(snapshots, { offset, removed: target.offset }, keep))
      }),
      { seed: 5 }
    )
  })

  it("goes in batches, and never where everything is kept", () => {
    const snapshots = Array.from({ length: 100 }, (_, index) => ({
      seq: index * 2 + 2,
      through: index * 2 + 1,
      offset: (index + 1) * mib
    }))
    assert.equal(retentionTarget(snapshots, { offset: 100 * mib, removed: 0 }, 64 * mib)?.offset, 36 * mib)
    assert.isUndefined(retentionTarget(snapshots, { offset: 100 * mib, removed: 30 * mib }, 64 * mib))
    assert.isUndefined(retentionTarget(snapshots, { offset: 100 * mib, removed: 0 }, Number.POSITIVE_INFINITY))
    assert.isUndefined(retentionTarget([], { offset: 100 * mib, removed: 0 }, 64 * mib))
  })
})
