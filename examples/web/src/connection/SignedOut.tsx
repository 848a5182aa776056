/** What somebody sees whom the server does not know: how to get a link. */
import { Anchor, RotateCw } from "lucide-react"

export const SignedOut = ({ why }: { readonly why: string | null }) => (
  <main className="signed-out">
    <div className="signed-out-card">
      <span className="logo" aria-hidden="true">
        <Anchor />
      </span>
      <h1>You need a link to come in</h1>
      {why === null ? null : (
        <p className="signed-out-why" role="alert">
          {why}
        </p>
      )}
      <p>
        The server prints a link when it starts. It counts once; afterwards this browser is remembered for thirty days.
      </p>
      <ol>
        <li>
          Go to the terminal in which the server runs, and press <kbd>Enter</kbd>: it prints a new link.
        </li>
        <li>Open that link in this browser.</li>
      </ol>
      <p className="hint">
        It runs in the background? Send it <code>SIGUSR2</code>, and look at its output.
      </p>
      <button className="button" type="button" onClick={() => location.reload()}>
        <RotateCw aria-hidden="true" />
        Try again
      </button>
    </div>
  </main>
)
