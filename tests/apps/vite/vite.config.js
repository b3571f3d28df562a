import vue from "@vitejs/plugin-vue";
import { defineConfig } from "vite";

// As vite_ruby has it: built into public/vite, with a manifest that the server's views read.
export default defineConfig({
  base: "/vite/",
  plugins: [vue()],
  build: {
    outDir: "public/vite",
    manifest: true,
    sourcemap: true,
    rollupOptions: { input: { shop: "src/shop.js", admin: "src/admin.js" } },
  },
});
