#!/usr/bin/env node
// Runs the assetsync program that an optional dependency for this platform brings.
"use strict";

const { spawn } = require("child_process");
const { constants } = require("os");

const platform = `@assetsync/${process.platform}-${process.arch}`;

function program() {
  try {
    return require.resolve(`${platform}/bin/assetsync`);
  } catch {
    console.error(
      `assetsync: the package ${platform} is not installed. Either there is none for this platform (then build it ` +
        "from source), or optional dependencies are left out (npm install --include=optional).",
    );
    process.exit(127);
  }
}

const child = spawn(program(), process.argv.slice(2), { stdio: "inherit" });

// Ctrl-C reaches the program by itself, as it is in the same group. It ends when it has left everything in order, and
// this ends with it.
for (const signal of ["SIGINT", "SIGQUIT"]) process.on(signal, () => {});
for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child.on("error", (error) => {
  console.error(`assetsync: ${error.message}`);
  process.exit(126);
});
child.on("exit", (status, signal) => process.exit(signal ? 128 + constants.signals[signal] : status));
