//! What this machine remembers of a bucket: the state as the last push left it, with its ETag, and
//! the number of the last push.
//!
//! A file for each destination, which a push holds locked: so the number of a push that ended
//! unexpectedly shows that it is over, and the next push need not wait for it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use assetsync_core::text;
use rustix::fs::{FlockOperation, flock};

use crate::error::BucketError;
use crate::state::RunId;
use crate::url::BucketUrl;

/// The largest file that is read.
const LARGEST: u64 = 64 << 20;

/// What is remembered of a destination.
#[derive(Debug, Default)]
pub struct Memory {
    file: Option<(File, PathBuf)>,
    /// The number of the last push from here.
    pub run: Option<RunId>,
    /// The ETag and the bytes of the state.
    pub state: Option<(String, Vec<u8>)>,
}

impl Memory {
    /// The name of a destination: the server's URL for the bucket, and the destination's own.
    pub fn name_of(base_url: &str, url: &BucketUrl) -> String {
        format!("{base_url} {url}")
    }

    /// What is remembered in `folder` of the destination called `name`; without a folder, nothing.
    pub fn open(folder: Option<&Path>, name: &str) -> Result<Memory, BucketError> {
        let Some(folder) = folder else { return Ok(Memory::default()) };
        let path = folder.join(&blake3::hash(name.as_bytes()).to_hex()[..32]);
        let failed = |error| BucketError::Memory { path: text::path(&path), error };
        fs::create_dir_all(folder).map_err(failed)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(&path).map_err(failed)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(error) if error == rustix::io::Errno::WOULDBLOCK => {
                return Err(BucketError::BusyHere);
            }
            Err(error) => return Err(failed(error.into())),
        }
        let mut bytes = Vec::new();
        (&file).take(LARGEST).read_to_end(&mut bytes).map_err(failed)?;
        // A file that is not whole is as good as none.
        let (run, state) = parse(&bytes).unwrap_or_default();
        Ok(Memory { file: Some((file, path)), run, state })
    }

    /// The number of the last push from here, if that is over.
    pub fn ended_run(folder: Option<&Path>, name: &str) -> Option<RunId> {
        Memory::open(folder, name).ok()?.run
    }

    /// Remembers the number of the push that begins to publish now.
    pub fn begin(&mut self, run: &RunId) -> Result<(), BucketError> {
        self.run = Some(run.clone());
        self.state = None;
        self.write()
    }

    /// Remembers the state that was read or written.
    pub fn keep(&mut self, etag: &str, state: &[u8]) -> Result<(), BucketError> {
        self.state = Some((etag.to_owned(), state.to_vec()));
        self.write()
    }

    fn write(&mut self) -> Result<(), BucketError> {
        let Some((file, path)) = &mut self.file else { return Ok(()) };
        let run = self.run.as_ref().map_or("", |run| run.0.as_str());
        let (etag, state) =
            self.state.as_ref().map_or(("", &[][..]), |(etag, state)| (etag, state));
        let hash = blake3::hash(state).to_hex();
        let bytes = [format!("{run}\n{etag}\n{hash}\n").as_bytes(), state].concat();
        let mut write = || -> io::Result<()> {
            file.set_len(0)?;
            file.seek(SeekFrom::Start(0))?;
            file.write_all(&bytes)
        };
        write().map_err(|error| BucketError::Memory { path: text::path(path), error })
    }
}

type Remembered = (Option<RunId>, Option<(String, Vec<u8>)>);

fn parse(bytes: &[u8]) -> Option<Remembered> {
    let mut parts = bytes.splitn(4, |&byte| byte == b'\n');
    let mut line = || std::str::from_utf8(parts.next()?).ok();
    let (run, etag, hash) = (line()?, line()?, line()?);
    let run = (!run.is_empty()).then(|| RunId(run.to_owned()));
    let state = parts.next()?;
    let is_whole = !etag.is_empty() && blake3::hash(state).to_hex().as_str() == hash;
    Some((run, is_whole.then(|| (etag.to_owned(), state.to_vec()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_one_pushs_at_a_time() {
        let folder = std::env::temp_dir().join(format!("assetsync-memory-{}", std::process::id()));
        let open = || Memory::open(Some(&folder), "s3://x/");
        let mut memory = open().unwrap();
        assert!(memory.run.is_none() && memory.state.is_none());
        assert!(matches!(open(), Err(BucketError::BusyHere)));
        assert!(Memory::open(Some(&folder), "s3://y/").is_ok());
        memory.keep("etag", b"state\nof two lines").unwrap();
        drop(memory);
        let mut memory = open().unwrap();
        let expected = Some(("etag".to_owned(), b"state\nof two lines".to_vec()));
        assert_eq!(memory.state, expected);
        memory.begin(&RunId("7".into())).unwrap();
        drop(memory);
        let memory = open().unwrap();
        assert_eq!((&memory.run, &memory.state), (&Some(RunId("7".into())), &None));
        assert!(Memory::ended_run(Some(&folder), "s3://x/").is_none(), "it is still pushing");
        drop(memory);
        assert_eq!(Memory::ended_run(Some(&folder), "s3://x/"), Some(RunId("7".into())));
        assert!(Memory::open(None, "s3://x/").unwrap().run.is_none());
        fs::remove_dir_all(folder).unwrap();
    }
}
