/** Which keys there are, and what terminals are like for screen readers. */
import { useState } from "react"
import { shortcutKeys } from "../keyboard/useShortcuts.ts"
import { readsAloudKey } from "../terminal/readsAloud.ts"
import { Dialog } from "./Dialog.tsx"

const isMac = /Mac|iPhone|iPad/.test(navigator.platform)
const alt = isMac ? "⌥" : "Alt"
const shift = isMac ? "⇧" : "Shift"

const writing: ReadonlyArray<readonly [what: string, keys: ReadonlyArray<string>]> = [
  ["Send the prompt", ["Enter"]],
  ["Begin a new line", [shift, "Enter"]],
  ["Stop the agent", ["Esc"]],
  ...(isMac
    ? []
    : ([
        ["Copy from a terminal", ["Ctrl", "Shift", "C"]],
        ["Paste into a terminal", ["Ctrl", "Shift", "V"]]
      ] as const))
]

const Keys = ({ keys }: { readonly keys: ReadonlyArray<string> }) => (
  <span className="keys">
    {keys.map((key) => (
      <kbd key={key}>{key}</kbd>
    ))}
  </span>
)

export const KeyboardHelp = ({ onClose }: { readonly onClose: () => void }) => {
  const [readsAloud, setReadsAloud] = useState(() => localStorage.getItem(readsAloudKey) === "yes")
  return (
    <Dialog title="Keyboard" onClose={onClose} wide>
      <div className="dialog-body">
        <p className="hint">
          The chords work everywhere, in terminals too; the single keys where nothing is being typed.
        </p>
        <dl className="key-list">
          {shortcutKeys.map(({ does, label, plain, words }) => (
            <div key={does}>
              <dt>{words}</dt>
              <dd>
                <Keys keys={[alt, shift, label]} />
                {plain === undefined ? null : (
                  <>
                    {" or "}
                    <Keys keys={[plain]} />
                  </>
                )}
              </dd>
            </div>
          ))}
          {writing.map(([what, keys]) => (
            <div key={what}>
              <dt>{what}</dt>
              <dd>
                <Keys keys={keys} />
              </dd>
            </div>
          ))}
        </dl>
        <label className="check">
          <input
            type="checkbox"
            checked={readsAloud}
            onChange={({ target }) => {
              setReadsAloud(target.checked)
              if (target.checked) localStorage.setItem(readsAloudKey, "yes")
              else localStorage.removeItem(readsAloudKey)
            }}
          />
          <span>
            Read terminals aloud
            <span className="hint">Their text for screen readers, from the next terminal on. It costs some speed.</span>
          </span>
        </label>
      </div>
    </Dialog>
  )
}
