//! The names of a push of files: those that the sender gives them, and those they get here.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use assetsync_core::path::{RelPath, is_of_directory};
use assetsync_core::protocol::Hello;
use assetsync_core::work_names::is_work_dir_name;

/// The names of the files of a push of files.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct FileNames {
    /// The sender's, in tree order.
    names: Vec<RelPath>,
    /// What the only one is called here, if it gets another name.
    renamed: Option<RelPath>,
}

impl FileNames {
    /// The directory that the files go into, and their names there. As for `cp`, `path` is that
    /// directory, unless there is one file and no directory at `path`: then it is the file's path.
    pub fn place(path: &Path, hello: &Hello) -> io::Result<(PathBuf, FileNames)> {
        let mut placed = FileNames { names: hello.files.clone(), renamed: None };
        let bytes = path.as_os_str().as_bytes();
        let is_dir = placed.names.len() != 1 || is_of_directory(bytes) || path.is_dir();
        let (Some(name), Some(parent), false) = (path.file_name(), path.parent(), is_dir) else {
            return Ok((path.into(), placed));
        };
        if is_work_dir_name(name.as_bytes()) {
            let text = ".assetsync and .assetsync-* are names of assetsync's work directories";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        placed.renamed = Some(RelPath::new(name.as_bytes()).map_err(io::Error::other)?);
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        Ok((parent.into(), placed))
    }

    /// The names here.
    pub fn here(&self) -> &[RelPath] {
        self.renamed.as_ref().map_or(&self.names, std::slice::from_ref)
    }

    /// The path here of a path of the sender's.
    pub fn to_here(&self, path: RelPath) -> RelPath {
        self.renamed.clone().filter(|_| self.names[0] == path).unwrap_or(path)
    }

    /// The sender's name of the file that is called `here`.
    pub fn to_sender(&self, here: &RelPath) -> RelPath {
        let renamed = self.renamed.as_ref().filter(|renamed| *renamed == here);
        renamed.map_or_else(|| here.clone(), |_| self.names[0].clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(path: &Path, names: &[&str]) -> (PathBuf, Vec<String>) {
        let files = names.iter().map(|name| RelPath::new(name.as_bytes()).unwrap()).collect();
        let hello = Hello {
            destination: Vec::new(),
            timeout_ms: 1,
            root_mode: 0o755,
            files,
            ..Hello::default()
        };
        let (dir, placed) = FileNames::place(path, &hello).unwrap();
        (dir, placed.here().iter().map(ToString::to_string).collect())
    }

    #[test]
    fn one_file_goes_into_a_directory_or_gets_a_name() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir(at("dir")).unwrap();
        std::fs::write(at("file"), "").unwrap();
        for (link, target) in [("to-dir", "dir"), ("to-file", "file"), ("to-nothing", "gone")] {
            std::os::unix::fs::symlink(target, at(link)).unwrap();
        }
        for inside in ["dir", "to-dir", "dir/", "new/", "dir/.", "new/..", "to-file/"] {
            assert_eq!(place(&at(inside), &["a"]), (at(inside), vec!["a".into()]), "{inside}");
        }
        for name in ["file", "to-file", "to-nothing", "new"] {
            assert_eq!(place(&at(name), &["a"]), (at(""), vec![name.into()]), "{name}");
        }
        assert_eq!(place(Path::new("new"), &["a"]), (".".into(), vec!["new".into()]));
        let several = (at("new"), vec!["a".into(), "b".into()]);
        assert_eq!(place(&at("new"), &["a", "b"]), several);
    }

    #[test]
    fn names_are_translated_both_ways() {
        let path = |name: &str| RelPath::new(name.as_bytes()).unwrap();
        let names = FileNames { names: vec![path("a")], renamed: Some(path("b")) };
        assert_eq!((names.to_here(path("a")), names.to_sender(&path("b"))), (path("b"), path("a")));
        assert_eq!(names.to_here(path("c")), path("c"));
        let plain = FileNames { renamed: None, ..names };
        assert_eq!((plain.to_here(path("a")), plain.to_sender(&path("a"))), (path("a"), path("a")));
    }
}
