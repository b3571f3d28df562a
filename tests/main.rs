//! The command against the real thing: a real sshd on loopback, real rsync as referee, published bundles.

mod agent;
mod bad_input;
mod bench;
mod budgets;
mod capistrano;
mod cli;
mod config;
mod deploy;
mod deploy_faults;
mod figures;
mod fleet;
mod guides;
mod help;
mod interruptions;
mod memory;
mod left_out;
mod places;
mod rails;
mod referee;
mod sftp;
mod sharing;
mod store;
mod story;
mod support;
mod transports;
mod workspace;
