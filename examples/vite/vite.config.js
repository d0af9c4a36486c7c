/** What lets the engine use several threads; the host of the built application must send these, too. */
const isolation = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

export default {
  base: "./",
  worker: { format: "es" }, // the workers load the engine that is wanted, and only that
  optimizeDeps: { exclude: ["sdic"] }, // or the development server would lose where the workers lie
  build: { target: "es2022" },
  server: { headers: isolation },
  preview: { headers: isolation },
};
