//! A client that fetches pages and assets all the time.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use super::http::get_by_proxy;

/// The prefix of asset paths in pages and stylesheets.
const ASSETS: &str = "/assets/";

/// A thread that fetches a page and every asset it names, again and again.
///
/// A site that is deployed well never shows it anything but 200, and never two contents by one
/// name.
#[derive(Debug)]
pub struct Visitor {
    stop: Arc<AtomicBool>,
    rounds: Arc<AtomicU64>,
    thread: Option<JoinHandle<Seen>>,
}

/// All that a visitor fetched.
#[derive(Debug, Default)]
pub struct Seen {
    /// How often the page and all it names were fetched.
    pub rounds: u64,
    /// Every asset, by its path below `/assets/`.
    pub assets: BTreeMap<String, Vec<u8>>,
    /// The faults, in words.
    pub faults: Vec<String>,
}

impl Visitor {
    /// Begins to read `page` of the server behind `socket`.
    #[must_use]
    pub fn of(socket: &Path, page: &'static str) -> Visitor {
        let (stop, rounds) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (stopped, counted, socket) =
            (Arc::clone(&stop), Arc::clone(&rounds), socket.to_path_buf());
        let thread = thread::spawn(move || {
            let mut reading = Reading { socket, seen: Seen::default() };
            while !stopped.load(Ordering::Acquire) {
                reading.round(page);
                counted.store(reading.seen.rounds, Ordering::Release);
            }
            reading.seen
        });
        Visitor { stop, rounds, thread: Some(thread) }
    }

    /// How many rounds it has finished.
    #[must_use]
    pub fn rounds(&self) -> u64 {
        self.rounds.load(Ordering::Acquire)
    }

    /// Ends it after its round.
    #[must_use]
    pub fn finish(mut self) -> Seen {
        self.stop.store(true, Ordering::Release);
        let thread = self.thread.take().expect("only finished once, by value");
        thread.join().expect("the visitor has no cause to panic")
    }
}

impl Drop for Visitor {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
    }
}

struct Reading {
    socket: PathBuf,
    seen: Seen,
}

impl Reading {
    /// Fetches the page, what it names, and what that names.
    fn round(&mut self, page: &str) {
        let mut open = self.fetch(page).map_or_else(Vec::new, |body| names(&body));
        if open.is_empty() {
            self.seen.faults.push(format!("{page} names no assets"));
        }
        let mut done: Vec<String> = Vec::new();
        while let Some(name) = open.pop() {
            if done.contains(&name) {
                continue;
            }
            if let Some(body) = self.fetch(&format!("{ASSETS}{name}")) {
                if name.ends_with(".css") {
                    open.extend(names(&body));
                }
                self.keep(&name, body);
            }
            done.push(name);
        }
        self.seen.rounds += 1;
    }

    fn fetch(&mut self, path: &str) -> Option<Vec<u8>> {
        match get_by_proxy(&self.socket, path) {
            Ok(answer) if answer.status == 200 => return Some(answer.body),
            Ok(answer) => self.seen.faults.push(format!("{path}: {}", answer.status)),
            Err(error) => self.seen.faults.push(format!("{path}: {error}")),
        }
        None
    }

    fn keep(&mut self, name: &str, body: Vec<u8>) {
        let known = self.seen.assets.entry(name.to_owned()).or_insert_with(|| body.clone());
        if *known != body {
            self.seen.faults.push(format!("{name} had two contents"));
        }
    }
}

/// The names of assets in a page or a stylesheet, below `/assets/`.
fn names(text: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(text);
    let rest = text.split(ASSETS).skip(1);
    let ends = |c: char| matches!(c, '"' | '\'' | ')' | '?' | '#' | ' ' | '\n');
    rest.filter_map(|part| part.split(ends).next()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_pages_and_stylesheets() {
        let page = br#"<link href="/assets/a-1.css"><script src='/assets/b-2.js'></script>"#;
        assert_eq!(names(page), ["a-1.css", "b-2.js"]);
        assert_eq!(names(b"@font-face{src:url(/assets/f/x-3.woff2?v=1)}"), ["f/x-3.woff2"]);
        assert_eq!(names(b"nothing"), Vec::<String>::new());
    }
}
