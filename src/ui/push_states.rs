//! How far the pushes to several destinations are, for whoever interrupts them.

use std::sync::{Mutex, PoisonError};

use assetsync_sync::{Event, Monitor};

use super::label::Label;

/// How far a push is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PushState {
    /// Nothing is published.
    Before,
    /// Everything is sent; the agent publishes without a further command.
    Publishing,
    Published,
}

/// The states of all pushes, by label.
#[derive(Debug)]
pub struct PushStates {
    dry_run: bool,
    states: Mutex<Vec<(String, PushState)>>,
}

impl PushStates {
    /// Pushes to destinations with these labels, of which none has begun.
    pub fn new(labels: &[String], dry_run: bool) -> PushStates {
        let states = labels.iter().map(|label| (label.clone(), PushState::Before));
        PushStates { dry_run, states: Mutex::new(states.collect()) }
    }

    /// A monitor of the push to the destination with this label.
    pub fn monitor<'s>(&'s self, label: &'s str) -> impl Monitor + use<'s> {
        StateMonitor { states: self, label }
    }

    /// The push to a destination has ended.
    pub fn ended(&self, label: &str, is_published: bool) {
        let state = if is_published { PushState::Published } else { PushState::Before };
        self.set(label, state);
    }

    fn set(&self, label: &str, state: PushState) {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        states.iter_mut().filter(|(known, _)| known == label).for_each(|known| known.1 = state);
    }

    /// What is said when all pushes are interrupted now.
    pub fn interrupted(&self) -> Vec<(Label, String)> {
        let states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let labels = |wanted: PushState| -> Vec<&str> {
            let found = states.iter().filter(|(_, state)| *state == wanted);
            found.map(|(label, _)| label.as_str()).collect()
        };
        let (before, publishing) = (labels(PushState::Before), labels(PushState::Publishing));
        let published = labels(PushState::Published);
        let what = match () {
            () if self.dry_run => "a dry run changes nothing",
            () if published.is_empty() && publishing.is_empty() => {
                "nothing was published; run the push again to complete it"
            }
            () => "no file is half written; run the push again to complete it",
        };
        let mut texts = vec![(Label::Error, format!("interrupted; {what}"))];
        if before.len() == states.len() || self.dry_run {
            return texts;
        }
        for (what, labels) in [
            ("published", published),
            ("being published, each file there is the old or the new one", publishing),
            ("unchanged", before),
        ] {
            if !labels.is_empty() {
                texts.push((Label::Note, format!("{what}: {}", labels.join(", "))));
            }
        }
        texts
    }
}

struct StateMonitor<'s> {
    states: &'s PushStates,
    label: &'s str,
}

impl Monitor for StateMonitor<'_> {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::Sent => self.states.set(self.label, PushState::Publishing),
            Event::Published => self.states.set(self.label, PushState::Published),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(states: &PushStates) -> Vec<String> {
        states.interrupted().into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn an_interruption_says_what_is_live() {
        let labels = ["web1", "web2", "web3"].map(str::to_owned);
        let states = PushStates::new(&labels, false);
        let nothing = "interrupted; nothing was published; run the push again to complete it";
        assert_eq!(said(&states), [nothing]);
        states.monitor("web1").event(Event::Sent);
        states.monitor("web2").event(Event::Sent);
        states.monitor("web2").event(Event::Published);
        let first = "interrupted; no file is half written; run the push again to complete it";
        let expected = [
            first,
            "published: web2",
            "being published, each file there is the old or the new one: web1",
            "unchanged: web3",
        ];
        assert_eq!(said(&states), expected);
        states.ended("web1", false);
        states.ended("web2", true);
        assert_eq!(said(&states), [first, "published: web2", "unchanged: web1, web3"]);
        let dry = PushStates::new(&labels, true);
        dry.ended("web1", true);
        assert_eq!(said(&dry), ["interrupted; a dry run changes nothing"]);
    }
}
