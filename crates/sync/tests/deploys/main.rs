//! Deploys over a real agent: pushes in steps, the history, and what is set aside.

mod directory;
mod faults;
mod hostile;
mod keeping;
mod model;
mod one_name;
mod steps;
mod support;
mod takeover;
mod vanishing;

/// Not a test: what hosts run as an agent.
#[test]
fn agent_process() {
    use std::io;
    use std::os::fd::AsFd;
    if let Ok(nonce) = std::env::var("ASSETSYNC_TEST_NONCE") {
        let input = io::stdin().as_fd().try_clone_to_owned().unwrap();
        let output = io::stdout().as_fd().try_clone_to_owned().unwrap();
        let _ = assetsync_receiver::serve(input, output, &nonce);
        std::process::exit(0);
    }
}
