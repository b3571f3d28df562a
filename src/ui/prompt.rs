//! Asks for passphrases on the terminal.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use assetsync_core::text;
use assetsync_ssh::Prompt;

use super::console::Console;

/// The answer for each key; `None` if the user declined.
type Answers = HashMap<PathBuf, Option<String>>;

/// The user at the terminal, asked once per key for all destinations.
pub struct TerminalPrompt {
    console: Arc<Console>,
    /// Locked while asking, so that there is only one question at a time.
    answers: Mutex<Answers>,
}

/// The prompt of one destination.
pub struct DestinationPrompt<'a> {
    person: &'a TerminalPrompt,
    /// Answers that this destination already got: if it asks again, they were wrong.
    given: Mutex<HashMap<PathBuf, String>>,
}

impl TerminalPrompt {
    /// A prompt without answers.
    pub fn new(console: Arc<Console>) -> TerminalPrompt {
        TerminalPrompt { console, answers: Mutex::default() }
    }

    /// The prompt of one destination.
    pub fn asker(&self) -> DestinationPrompt<'_> {
        DestinationPrompt { person: self, given: Mutex::default() }
    }

    /// The known answer if it differs from `wrong`, else a new one from the user.
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

/// All destinations share the first answer.
impl Prompt for TerminalPrompt {
    fn passphrase(&self, key: &Path) -> Option<String> {
        self.answer(key, None)
    }
}

impl Prompt for DestinationPrompt<'_> {
    fn passphrase(&self, key: &Path) -> Option<String> {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = self.person.answer(key, given.get(key))?;
        given.insert(key.to_owned(), answer.clone());
        Some(answer)
    }
}
