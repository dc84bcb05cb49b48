// The package finds its WebAssembly beside itself: it must not be moved into Vite's cache in development.
export default { base: "./", build: { target: "es2022" }, optimizeDeps: { exclude: ["kompakt"] } };
