//! Asks for passphrases on the terminal.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use assetsync_core::text;
use assetsync_ssh::Prompt;

use super::console::Console;

/// What was answered for each key; none where the person declined.
type Answers = HashMap<PathBuf, Option<String>>;

/// The person at the terminal, asked once for each key, however many destinations want it.
pub struct TerminalPrompt {
    console: Arc<Console>,
    /// Held while asking, so that only one question stands at a time.
    answers: Mutex<Answers>,
}

/// Asks on behalf of one destination.
pub struct DestinationPrompt<'a> {
    person: &'a TerminalPrompt,
    /// What this destination was told already: who asks again was told wrong.
    told: Mutex<HashMap<PathBuf, String>>,
}

impl TerminalPrompt {
    /// Nothing has been asked yet.
    pub fn new(console: Arc<Console>) -> TerminalPrompt {
        TerminalPrompt { console, answers: Mutex::default() }
    }

    /// One who asks for one destination.
    pub fn asker(&self) -> DestinationPrompt<'_> {
        DestinationPrompt { person: self, told: Mutex::default() }
    }

    /// The answer, asked for unless there is one other than `wrong`.
    fn answer(&self, key: &Path, wrong: Option<&String>) -> Option<String> {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        match answers.get(key) {
            Some(answer) if answer.is_none() || answer.as_ref() != wrong => answer.clone(),
            _ => {
                let answer = self.ask(key);
                answers.insert(key.to_owned(), answer.clone());
                answer
            }
        }
    }

    fn ask(&self, key: &Path) -> Option<String> {
        let question = format!("Passphrase of {}: ", text::path(key));
        let answer = self.console.bars().suspend(|| rpassword::prompt_password(question));
        answer.ok().filter(|answer| !answer.is_empty())
    }
}

/// For all destinations alike: whoever asks gets what was answered first.
impl Prompt for TerminalPrompt {
    fn passphrase(&self, key: &Path) -> Option<String> {
        self.answer(key, None)
    }
}

impl Prompt for DestinationPrompt<'_> {
    fn passphrase(&self, key: &Path) -> Option<String> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = self.person.answer(key, told.get(key))?;
        told.insert(key.to_owned(), answer.clone());
        Some(answer)
    }
}
