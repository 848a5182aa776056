/** Terminal colours for light and dark: each readable on its background. */
import type { ITheme } from "@xterm/xterm"

const dark: ITheme = {
  background: "#0a0d0f",
  foreground: "#d9e2e3",
  cursor: "#45d0a0",
  cursorAccent: "#0a0d0f",
  selectionBackground: "#2c4a45",
  black: "#20292e",
  red: "#ff7b72",
  green: "#5ad48a",
  yellow: "#e8b84f",
  blue: "#7db4ff",
  magenta: "#d2a1ff",
  cyan: "#56d4dd",
  white: "#c6d0d2",
  brightBlack: "#6c7b82",
  brightRed: "#ffa198",
  brightGreen: "#8ce9ae",
  brightYellow: "#f5d27c",
  brightBlue: "#a9ceff",
  brightMagenta: "#e2c5ff",
  brightCyan: "#8be9ef",
  brightWhite: "#f4f8f8"
}

const light: ITheme = {
  background: "#ffffff",
  foreground: "#1d2529",
  cursor: "#0a7557",
  cursorAccent: "#ffffff",
  selectionBackground: "#c5e6da",
  black: "#1d2529",
  red: "#b3211d",
  green: "#1a6e33",
  yellow: "#855600",
  blue: "#1a57b5",
  magenta: "#7b38b8",
  cyan: "#0c6a75",
  white: "#5c686e",
  brightBlack: "#5c686e",
  brightRed: "#d0332e",
  brightGreen: "#1f8a3f",
  brightYellow: "#9c6700",
  brightBlue: "#2a6fdb",
  brightMagenta: "#9550d6",
  brightCyan: "#0f808d",
  brightWhite: "#2c363b"
}

/** The colours of the scheme that the page shows. */
export const terminalColours = (isDark: boolean): ITheme => (isDark ? dark : light)
