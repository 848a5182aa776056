import { fileURLToPath } from "node:url"
import react from "@vitejs/plugin-react"
import { defineConfig } from "vite"

/** A server to develop against: `npm start` prints its address. */
const server = process.env["HOLDFAST_SERVER"] ?? "http://127.0.0.1:4747"

export default defineConfig({
  root: fileURLToPath(new URL(".", import.meta.url)),
  plugins: [react()],
  // The workspace's packages are read as sources: nothing has to be built before.
  resolve: { conditions: ["@holdfast/source", "module", "browser", "development|production"] },
  server: { proxy: { "/api": { target: server, ws: true, changeOrigin: true, headers: { origin: server } } } },
  // In kilobytes before compression, which takes two thirds off.
  build: { target: "es2024", reportCompressedSize: false, chunkSizeWarningLimit: 1_000 }
})
