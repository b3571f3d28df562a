//! Which files are sent again over SFTP, where no agent compares contents.

use super::*;

#[test]
fn with_checksum_every_file_is_sent() {
    let host = Host::new("");
    let source = written(&tree_of(&["a", "d/b"], "right"));
    assert_eq!(host.push(source.path()).or_fail().files_sent, 2);
    // Somebody else's change that keeps size and time: only sending all of it puts that right.
    fs::remove_dir_all(host.assets()).or_fail();
    tree_of(&["a", "d/b"], "wrong").write_to(&host.assets()).or_fail();
    assert_eq!(host.push(source.path()).or_fail().files_sent, 0);
    let how = How { checksum: true, ..How::default() };
    let report = host.push_so(source.path(), &host.assets(), &how, &NoMonitor).or_fail();
    assert_eq!(report.files_sent, 2);
    assert_same(source.path(), &host.assets());
}

#[test]
fn files_that_were_not_pushed_from_here_are_sent_whatever_size_and_time_say() {
    let host = Host::new("");
    let (right, wrong) = (tree_of(&["a", "d/b"], "right"), tree_of(&["a", "d/b"], "wrong"));
    let source = written(&right);
    wrong.write_to(&host.assets()).or_fail();
    let by_size = How { by_size: true, ..How::default() };
    let taken = host.push_so(source.path(), &host.assets(), &by_size, &NoMonitor).or_fail();
    assert_eq!(taken.files_sent, 0, "sizes decide");
    // What was kept for its size alone is not remembered as equal.
    assert_eq!(host.push(source.path()).or_fail().files_sent, 2);
    assert_same(source.path(), &host.assets());
    assert_eq!(host.push(source.path()).or_fail().files_sent, 0);
    let forgetful = How { forgetful: true, ..How::default() };
    let again = host.push_so(source.path(), &host.assets(), &forgetful, &NoMonitor).or_fail();
    assert_eq!(again.files_sent, 2, "nothing is remembered");
}

#[test]
fn a_build_with_fixed_times_is_sent_where_it_changed_and_a_fresh_one_only_touched() {
    let host = Host::new("");
    let source = written(&tree_of(&["a", "d/b"], "first"));
    host.push(source.path()).or_fail();
    tree_of(&["a"], "other").write_to(source.path()).or_fail();
    assert_eq!(host.push(source.path()).or_fail().files_sent, 1);
    assert_same(source.path(), &host.assets());
    fs::File::open(source.path().join("a")).or_fail().set_modified(SystemTime::now()).or_fail();
    let touched = host.push(source.path()).or_fail();
    assert_eq!((touched.files_sent, touched.plan.actions.len()), (0, 1));
    assert_same(source.path(), &host.assets());
}

#[test]
fn a_file_that_changed_since_it_was_read_is_published_nowhere() {
    let host = Host::new("");
    let dir = written(&tree_of(&["grown", "shrunk", "same"], "scanned"));
    let source = Source::scan(dir.path(), &Policy::default()).or_fail();
    source.hashed().or_fail();
    fs::write(dir.path().join("grown"), "scanned grown and then some").or_fail();
    let to = host.assets();
    fs::create_dir_all(&to).or_fail();
    let before = snapshot(host.place.path()).or_fail();
    let failed = host.push_scanned(&source, &to, &How::default(), &NoMonitor);
    assert!(
        matches!(&failed, Err(PushError::Changing { path, .. }) if path == "grown"),
        "{failed:?}"
    );
    let options = DiffOptions::default();
    let lines = diff_trees(&before, &snapshot(host.place.path()).or_fail(), &options);
    assert_eq!(lines, Vec::<String>::new());
}
