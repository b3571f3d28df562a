//! What a hostile sender may say to an agent, and a hostile agent to a sender: it ends in an error,
//! at once, and nothing outside of the destination is read or changed.

mod client;
mod flips;
mod mutations;
mod recipes;
mod silent_senders;
mod support;
mod to_agents;
mod to_senders;

use std::io;

use assetsync_receiver::serve;

/// Not a test: what the recording below runs as an agent.
#[test]
fn agent_process() {
    if let Ok(nonce) = std::env::var("ASSETSYNC_TEST_NONCE") {
        use std::os::fd::AsFd;
        let input = io::stdin().as_fd().try_clone_to_owned().unwrap();
        let output = io::stdout().as_fd().try_clone_to_owned().unwrap();
        let (input, output, copied) = flips::between(input, output);
        let _ = serve(input, output, &nonce);
        copied.into_iter().for_each(|thread| thread.join().unwrap());
        std::process::exit(0);
    }
}
