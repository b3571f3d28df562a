//! The file of `--log-file`: every changed path and every result, with the time in UTC.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use assetsync_core::text;

/// An open log file; lines are appended.
pub struct LogFile {
    file: Mutex<File>,
}

impl LogFile {
    /// Opens or creates it.
    pub fn open(path: &Path) -> io::Result<LogFile> {
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        Ok(LogFile { file: Mutex::new(file) })
    }

    /// Appends lines at once, each with the time and the process id.
    pub fn write<'l>(&self, lines: impl Iterator<Item = &'l str>) -> io::Result<()> {
        let now = humantime::format_rfc3339_seconds(SystemTime::now());
        let process = std::process::id();
        let line = |line| format!("{now} [{process}] {}\n", text::lines(line));
        let all: String = lines.map(line).collect();
        self.file.lock().unwrap_or_else(PoisonError::into_inner).write_all(all.as_bytes())
    }
}
