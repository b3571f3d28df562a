//! Pushes that are cut, that meet another one, and that find the disk full.

use super::*;

/// The moments at which a push is cut.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// So much of a thousand of the content is uploaded.
    Uploaded(u64),
    /// All of it is.
    Sent,
    /// So many new files are published.
    Published(usize),
}

const FILES: usize = 100;

/// Old and new content of `FILES` files, an entry point that names the build, and a file to delete.
fn build(number: u64) -> Tree {
    let names: Vec<String> = (0..FILES).map(|at| format!("d{}/{at}.js", at % 7)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut tree = tree_of(&names, &format!("{number:09} ").repeat(2000 + number as usize));
    tree.insert(b"index.html", file(&b"build".repeat(number as usize)));
    tree.insert(format!("only-{number}").as_bytes(), file(b"only"));
    tree
}

/// How many files are as in the new build; every file must be whole, the old one or the new one.
fn count_new(assets: &Path, old: &Path, new: &Path) -> usize {
    let (old, new) = (snapshot(old).or_fail(), snapshot(new).or_fail());
    let mut count = 0;
    for (path, node) in snapshot(assets).or_fail() {
        let is = |tree: &assetsync_testbed::tree::Snapshot| {
            tree.get(&path).is_some_and(|there| (there.kind, there.hash) == (node.kind, node.hash))
        };
        assert!(is(&old) || is(&new), "{} is neither", path.escape_ascii());
        count += usize::from(is(&new) && !is(&old));
    }
    count
}

#[test]
fn a_push_that_is_cut_leaves_whole_files_and_the_next_completes_it() {
    let (old, new) = (written(&build(1)), written(&build(2)));
    let moments = [
        Moment::Uploaded(1),
        Moment::Uploaded(500),
        Moment::Uploaded(999),
        Moment::Sent,
        Moment::Published(1),
        Moment::Published(FILES / 2),
    ];
    for moment in moments {
        let host = Host::new("");
        host.push(old.path()).or_fail();
        let failed = cut(&host, new.path(), moment);
        let count = count_new(&host.assets(), old.path(), new.path());
        match (moment, &failed) {
            (Moment::Published(_), _) => {}
            (_, Err(PushError::Closed(text))) => {
                assert!(text.contains(Route::ALIAS), "{text}");
                assert_eq!(count, 0, "{moment:?}");
            }
            other => panic!("{other:?}"),
        }
        if !host.assets().join("only-1").exists() {
            // Deletes come last.
            assert_eq!(count, FILES + 2, "{moment:?}");
        }
        if fs::read(host.assets().join("index.html")).or_fail() == b"buildbuild" {
            assert!(count > FILES, "{moment:?}: the entry point names files that are not there");
        }
        let report = host.push(new.path()).or_fail();
        assert!(report.files_sent as usize <= FILES + 2 - count);
        assert_same(new.path(), &host.assets());
        assert_clean(&host.assets());
    }
}

#[test]
fn a_push_that_is_cut_is_not_taken_for_done_where_size_and_time_are_the_same() {
    let host = Host::new("");
    let names: Vec<String> = (0..FILES).map(|at| format!("{at}.js")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let filler = "content ".repeat(2000);
    let old = written(&tree_of(&names, &format!("1 {filler}")));
    let new = written(&tree_of(&names, &format!("2 {filler}")));
    host.push(old.path()).or_fail();
    for moment in [Moment::Uploaded(500), Moment::Sent] {
        let _ = cut(&host, new.path(), moment);
        host.push(old.path()).or_fail();
        assert_same(old.path(), &host.assets());
    }
}

/// Pushes, and ends the session at a moment.
fn cut(host: &Host, source: &Path, moment: Moment) -> Result<Report, PushError> {
    let published = |count: usize| host.assets().join(format!("d{}/{count}.js", count % 7));
    // Before anything is sent: a thread that starts later may find the file published already.
    let old = match moment {
        Moment::Published(count) => fs::metadata(published(count)).or_fail().len(),
        _ => 0,
    };
    thread::scope(|scope| {
        let hook = Hook(|event: Event<'_>| match (moment, event) {
            (Moment::Uploaded(part), Event::Progress { done, total, .. })
                if done * 1000 >= total * part =>
            {
                host.sshd.kill_sessions();
            }
            (Moment::Sent, Event::Sent) => host.sshd.kill_sessions(),
            (Moment::Published(count), Event::Sent) => {
                scope.spawn(move || {
                    let at = published(count);
                    let is_new = || fs::metadata(&at).is_ok_and(|meta| meta.len() != old);
                    until("so many files are published", || is_new().then_some(()));
                    host.sshd.kill_sessions();
                });
            }
            _ => {}
        });
        host.push_so(source, &host.assets(), &How::default(), &hook)
    })
}

#[test]
fn the_push_that_starts_later_takes_over() {
    let host = Host::new("");
    let (first, second) = (written(&tree_of(&["a", "b"], "1")), written(&tree_of(&["a"], "22")));
    let hook = Hook(|event: Event<'_>| {
        if event == Event::Sent {
            let notices = Notices::default();
            let how = How::default();
            host.push_so(second.path(), &host.assets(), &how, &notices).or_fail();
            assert!(notices.say("what another push had staged"));
        }
    });
    let result = host.push_so(first.path(), &host.assets(), &How::default(), &hook);
    let (code, text) = code(result);
    assert_eq!(code, FailureCode::Locked);
    assert!(text.contains("another push to this destination took over"), "{text}");
    assert_same(second.path(), &host.assets());
    assert_clean(&host.assets());
}

/// A small file system of its own.
struct Mount(PathBuf);

impl Mount {
    fn new(at: PathBuf) -> Mount {
        fs::create_dir_all(&at).or_fail();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=8m,mode=755", "tmpfs"]).arg(&at);
        let mounted = mount.status().is_ok_and(|status| status.success());
        assert!(mounted, "this test mounts a tmpfs: run it as root");
        Mount(at)
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// The destination is a file system of its own, so staging is inside it.
#[test]
fn a_full_disk_is_named_and_the_old_files_stay() {
    let host = Host::new("");
    let _mount = Mount::new(host.assets());
    let old = written(&tree_of(&["a", "b"], "old"));
    host.push(old.path()).or_fail();
    assert_clean_inside(&host.assets());
    assert_same(old.path(), &host.assets());
    let mut tree = tree_of(&["a", "b"], "newer");
    tree.insert(b"big", file(&vec![7; 5 << 20]));
    tree.insert(b"bigger", file(&vec![8; 2 << 20]));
    let too_much = {
        let mut tree = tree.clone();
        tree.insert(b"biggest", file(&vec![9; 2 << 20]));
        written(&tree)
    };
    let before = host.push(too_much.path());
    assert!(
        matches!(before, Err(PushError::NoRoom { needed, free }) if needed > free),
        "{before:?}"
    );
    assert_same(old.path(), &host.assets());
    // Somebody else fills the disk meanwhile.
    let new = written(&tree);
    let hook = Hook(|event: Event<'_>| {
        if let Event::Planned { .. } = event {
            fs::write(host.assets().join("filler"), vec![1; 3 << 20]).or_fail();
        }
    });
    let during = host.push_so(new.path(), &host.assets(), &How::default(), &hook);
    assert!(matches!(during, Err(PushError::NoRoom { .. })), "{during:?}");
    fs::remove_file(host.assets().join("filler")).or_fail();
    assert_same(old.path(), &host.assets());
    host.push(new.path()).or_fail();
    assert_clean_inside(&host.assets());
    assert_same(new.path(), &host.assets());
}
