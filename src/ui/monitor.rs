//! Passes the events of a push to everything that prints them.

use std::sync::Arc;

use assetsync_sync::{Event, Monitor};

use super::console::Console;
use super::progress_line::ProgressLine;
use super::push_json::JsonLines;
use super::push_states::PushStates;
use super::step_lines::StepLines;

/// The monitors of the push to one destination.
pub struct Watch<'a> {
    listeners: Vec<Box<dyn Monitor + 'a>>,
}

impl<'a> Watch<'a> {
    /// JSON lines, or step lines and a progress line.
    pub fn new(console: &'a Arc<Console>, label: &'a str, states: &'a PushStates) -> Watch<'a> {
        let state = states.monitor(label);
        if console.output.json {
            let lines = JsonLines::new(console, label);
            return Watch { listeners: vec![Box::new(state), Box::new(lines)] };
        }
        let steps = StepLines::new(console, label);
        let progress = ProgressLine::new(console, label);
        Watch { listeners: vec![Box::new(state), Box::new(steps), Box::new(progress)] }
    }
}

impl Monitor for Watch<'_> {
    fn event(&self, event: Event<'_>) {
        self.listeners.iter().for_each(|listener| listener.event(event));
    }
}
