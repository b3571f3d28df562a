//! Serves one push: reads the *Hello* line, then runs the push or the dry run that it asks for.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

use assetsync_core::protocol::{Hello, line_of_word};

use crate::confinement::Confine;
use crate::conversation::Conversation;
use crate::error::AgentError;
use crate::push::{driver, dry_run};

/// How long an agent waits for the first line.
const FIRST_LINE: Duration = Duration::from_secs(60);

/// Serves one push over two streams. `nonce` goes into the first line of output, by which the
/// sender finds where the output begins.
pub fn serve(input: OwnedFd, output: OwnedFd, nonce: &str) -> Result<(), AgentError> {
    serve_with(input, output, nonce, ServeOptions::default())
}

/// What a process that serves a push wants of it.
#[derive(Default)]
pub struct ServeOptions {
    /// Called if the sender is found to be gone in the middle of some work. To end the process then
    /// is as safe as at any other time.
    pub gone: Option<Box<dyn FnOnce() + Send>>,
    /// The *Hello* as a [word](assetsync_core::protocol::word_of_line), if the sender put it on the
    /// command line: then nothing waits for the line, which the sender writes to `input` all the
    /// same. Any other word is ignored.
    pub hello: Option<String>,
    /// The directory that destinations have to be, or to be in; it has no symlinks.
    pub within: Option<PathBuf>,
    /// Called once all directories of the push are open, before anything is received but
    /// the *Hello*.
    pub confine: Option<Confine>,
}

/// As [`serve`], with options.
pub fn serve_with(
    input: OwnedFd,
    output: OwnedFd,
    nonce: &str,
    options: ServeOptions,
) -> Result<(), AgentError> {
    let ServeOptions { gone, hello, within, confine } = options;
    let hello = hello.as_deref().and_then(line_of_word);
    let conversation = Conversation::new(input, output, FIRST_LINE);
    let mut conversation = conversation.map_err(AgentError::WorkFiles)?;
    if let Some(gone) = gone {
        conversation.when_gone(gone);
    }
    conversation.confine = confine;
    let served = greet(&mut conversation, nonce, hello).and_then(|hello| match hello.dry_run {
        true => dry_run::serve(&mut conversation, &hello, within.as_deref()),
        false => driver::serve(&mut conversation, &hello, within.as_deref()),
    });
    if let Some(failure) = served.as_ref().err().and_then(AgentError::failure) {
        // If this can't be sent, the sender sees the end of the stream.
        let _ = conversation.fail(&failure);
    }
    served
}

/// Writes the ready line and reads the *Hello* line, unless it is given.
fn greet(
    conversation: &mut Conversation,
    nonce: &str,
    given: Option<Vec<u8>>,
) -> Result<Hello, AgentError> {
    conversation.banner(&format!("assetsync:{nonce}:ready\n"))?;
    conversation.skips_first_line = given.is_some();
    let line = given.map_or_else(|| conversation.first_line(), Ok)?;
    let hello = Hello::parse(&line)?;
    conversation.set_timeout(Duration::from_millis(u64::from(hello.timeout_ms.max(100))));
    Ok(hello)
}
