//! The history, and contents that are set aside.

use std::fs;
use std::os::unix::fs::symlink;

use assetsync_core::digest::Digest;
use assetsync_sync::{Decision, DeleteAt, PushError, Source, SourceEntry, survey};

use crate::support::{TestHost, deleting, files, noise, path, setting_aside, writing};

const HISTORY: &str = ".assetsync-host/history";

fn seconds_now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    now.as_secs() as i64
}

#[test]
fn a_survey_of_nothing_creates_nothing() {
    let reference = TestHost::new();
    let before = seconds_now();
    let found = reference.survey("new/host", None);
    assert!((before..=seconds_now()).contains(&found.statistics.clock_secs));
    assert_eq!((found.history.len(), found.retained_contents.len()), (0, 0));
    assert!(found.state.entries.is_empty() && found.statistics.writable);
    assert!(!reference.at("new").exists());
    fs::write(reference.at("file"), "").unwrap();
    let tried =
        survey(&reference.target("file/host"), &reference.connection(None), &reference.notices);
    assert!(matches!(tried, Err(PushError::Agent(_))), "{tried:?}");
}

#[test]
fn a_survey_of_a_destination_changes_nothing() {
    let reference = TestHost::new();
    let source = reference.write("src", &[("a.txt", "a")]);
    reference.deploy(&source, "host", None, writing(0, b"first"));
    let (files, work) = (reference.stamps("host"), reference.stamps(".assetsync-host"));
    let survey = reference.survey("host", None);
    assert_eq!((survey.history, survey.state.entries.len()), (b"first".to_vec(), 1));
    assert_eq!((reference.stamps("host"), reference.stamps(".assetsync-host")), (files, work));
}

#[test]
fn a_history_goes_on_where_it_is_told_to() {
    let reference = TestHost::new();
    let source = reference.write("src", &[("a.txt", "a")]);
    let long = noise(100_000);
    let steps: [(u64, &[u8], &[u8]); 5] = [
        (0, b"first", b"first"),
        (5, b", second", b"first, second"),
        (3, b"", b"fir"),
        (3, &long, &[b"fir", &long[..]].concat()),
        (0, b"new", b"new"),
    ];
    for (keep, append, expected) in steps {
        reference.deploy(&source, "host", None, writing(keep, append));
        assert_eq!(fs::read(reference.at(HISTORY)).unwrap(), expected);
        assert_eq!(reference.survey("host", None).history, expected);
    }
    // Whoever only pushes leaves it alone, and so does a deploy that does not speak of it.
    reference.push(&reference.write("other", &[("b.txt", "b")]), "host", None);
    reference.deploy(&source, "host", None, Decision::default());
    assert_eq!(fs::read(reference.at(HISTORY)).unwrap(), b"new");
}

#[test]
fn a_history_is_written_with_publishing_and_not_before() {
    let reference = TestHost::new();
    let source = reference.write("src", &[("a.txt", "a")]);
    reference.deploy(&source, "host", None, writing(0, b"first"));
    reference.stage(&source, "host", None, writing(5, b"second")).abandon();
    assert_eq!(fs::read(reference.at(HISTORY)).unwrap(), b"first");
    // What was written of the new one is gone with the next push.
    drop(reference.stage(&source, "host", None, writing(5, b"second")));
    let live = reference.stage(&source, "host", None, writing(5, b"third")).publish().unwrap();
    assert_eq!(fs::read(reference.at(HISTORY)).unwrap(), b"firstthird");
    live.end(false).unwrap();
    assert_eq!(reference.names(".assetsync-host/stage"), [""; 0]);
}

#[test]
fn impossible_edits_are_refused_before_anything_travels() {
    let reference = TestHost::new();
    let source = reference.write("src", &[("a.txt", "a")]);
    let refused = |decision| {
        let tried = reference.try_stage(&source, "host", &reference.connection(None), decision);
        match tried {
            Err(PushError::Decision(error)) => error.to_string(),
            other => panic!("{:?}", other.map(|staged| staged.report().clone())),
        }
    };
    assert_eq!(refused(writing(1, b"x")), "1 bytes of a history of 0 are to stay");
    let said = refused(setting_aside("none.txt", "x"));
    assert_eq!(said, "none.txt is to be retained, but there is no such file");
    assert!(reference.files("host").is_empty());
}

#[test]
fn a_remembered_history_does_not_travel_again() {
    let reference = TestHost::new();
    let store = reference.store();
    let source = reference.write("src", &[("a.txt", "a")]);
    let long = noise(200_000);
    let first = reference.deploy(&source, "host", Some(&store), writing(0, &long));
    assert!(first.bytes_received < 2_000, "{}", first.bytes_received);
    // As it was after publishing, and as it is after an edit.
    let more = reference.deploy(&source, "host", Some(&store), writing(200_000, b"more"));
    assert!(more.bytes_received < 2_000 && more.bytes_sent < 2_000, "{more:?}");
    let expected = [&long[..], b"more"].concat();
    assert_eq!(reference.survey("host", Some(&store)).history, expected);
    // A deploy that has nothing to do takes one round trip, whatever the history.
    let idle = reference.deploy(&source, "host", Some(&store), Decision::default());
    assert_eq!(idle.round_trips, 1);
    assert!(idle.bytes_received < 300, "{}", idle.bytes_received);
    // A machine that does not know it hears it once.
    let other = reference.deploy(&source, "host", None, Decision::default());
    assert!(other.bytes_received > 200_000, "{}", other.bytes_received);
}

#[test]
fn damage_to_what_is_remembered_costs_bytes_only() {
    let reference = TestHost::new();
    let store = reference.store();
    let source = reference.write("src", &[("a.txt", "a")]);
    let long = noise(100_000);
    reference.deploy(&source, "host", Some(&store), writing(0, &long));
    let names = reference.names("store/histories");
    let cache = reference.at("store/histories").join(&names[0]);
    let whole = fs::read(&cache).unwrap();
    let mut damaged = whole.clone();
    damaged[50_000] ^= 1;
    for bytes in [&damaged[..], &whole[..100], b""] {
        fs::write(&cache, bytes).unwrap();
        assert_eq!(reference.survey("host", Some(&store)).history, long);
        assert_eq!(fs::read(&cache).unwrap(), whole, "healed");
    }
    // Another history on the host is heard as it is, and replaced.
    let mut other = long.clone();
    other[50_000] ^= 1;
    fs::write(reference.at(HISTORY), &other).unwrap();
    assert_eq!(reference.survey("host", Some(&store)).history, other);
    fs::remove_file(reference.at(HISTORY)).unwrap();
    assert_eq!(reference.survey("host", Some(&store)).history, b"");
    reference.deploy(&source, "host", Some(&store), writing(0, b"new"));
    assert_eq!(reference.survey("host", Some(&store)).history, b"new");
}

#[test]
fn a_history_that_is_a_link_or_too_long_is_refused_in_words() {
    let reference = TestHost::new();
    let source = reference.write("src", &[("a.txt", "a")]);
    reference.push(&source, "host", None);
    let said =
        || match survey(&reference.target("host"), &reference.connection(None), &reference.notices)
        {
            Err(PushError::Agent(failure)) => failure.text,
            other => panic!("{other:?}"),
        };
    fs::write(reference.at("secret"), "secret").unwrap();
    symlink(reference.at("secret"), reference.at(HISTORY)).unwrap();
    assert!(said().starts_with("Can't use "), "{}", said());
    fs::remove_file(reference.at(HISTORY)).unwrap();
    let sparse = fs::File::create(reference.at(HISTORY)).unwrap();
    sparse.set_len((64 << 20) + 1).unwrap();
    assert!(said().contains("move it away to begin a new history"), "{}", said());
}

#[test]
fn retained_contents_can_be_reused() {
    let reference = TestHost::new();
    let page = "old page, ".repeat(500);
    let old = reference.write("old", &[("a.txt", "a"), ("index.html", &page)]);
    reference.deploy(&old, "host", None, Decision::default());
    let new = reference.write("new", &[("a.txt", "a"), ("index.html", "new page")]);
    reference.deploy(&new, "host", None, setting_aside("index.html", &page));
    let retained_contents = reference.survey("host", None).retained_contents;
    assert_eq!(retained_contents.len(), 1);
    assert_eq!(
        (retained_contents[0].digest, retained_contents[0].size),
        (Digest::of(page.as_bytes()), 5000)
    );
    // Back to the old one, of which nothing is here.
    let back = Source::of(entries(&old), &reference.at("nothing")).unwrap();
    let report = reference.deploy(&back, "host", None, Decision::default());
    assert_eq!((report.files_sent, report.recipes["copy"].files), (0, 1));
    assert_eq!(reference.files("host"), files(&[("a.txt", "a"), ("index.html", &page)]));
    let mtime = |name: &str| fs::metadata(reference.at(name)).unwrap().modified().unwrap();
    assert_eq!(mtime("host/index.html"), mtime("old/index.html"));
    // It stays aside until it is dropped, which is at pruning.
    let drop =
        Decision { retained_to_drop: vec![retained_contents[0].digest], ..Decision::default() };
    let live = reference.stage(&new, "host", None, drop).publish().unwrap();
    assert_eq!(reference.names(".assetsync-host/aside").len(), 1);
    live.end(true).unwrap();
    assert_eq!(reference.names(".assetsync-host/aside"), [""; 0]);
}

#[test]
fn contents_are_retained_before_they_are_deleted() {
    let reference = TestHost::new();
    let old = reference.write("old", &[("a.txt", "a"), ("gone.txt", "gone"), ("late.txt", "late")]);
    reference.deploy(&old, "host", None, Decision::default());
    let new = reference.write("new", &[("a.txt", "a")]);
    let mut decision =
        deleting(&[("gone.txt", DeleteAt::Publishing), ("late.txt", DeleteAt::Pruning)]);
    for name in ["late", "gone"] {
        let file = path(&format!("{name}.txt"));
        decision.to_retain.push((file, Digest::of(name.as_bytes())));
    }
    let report = reference.deploy(&new, "host", None, decision);
    assert_eq!((report.deleted, report.pruned), (1, 1));
    assert_eq!(reference.survey("host", None).retained_contents.len(), 2);
    let back = Source::of(entries(&old), &reference.at("nothing")).unwrap();
    reference.deploy(&back, "host", None, Decision::default());
    assert_eq!(reference.files("host").len(), 3);
    // Keeping a file takes nothing from the next survey: no file is read again.
    let again = reference.deploy(&back, "host", None, Decision::default());
    assert_eq!((again.round_trips, again.agent_files_read), (1, 0));
}

#[test]
fn contents_changed_by_others_are_not_retained() {
    let reference = TestHost::new();
    let old = reference.write("old", &[("index.html", "old page")]);
    reference.deploy(&old, "host", None, Decision::default());
    let new = reference.write("new", &[("index.html", "new page")]);
    reference.deploy(&new, "host", None, setting_aside("index.html", "another page"));
    let said = reference.notices.take();
    assert_eq!(said, ["index.html was changed by others; a rollback can't restore it"]);
    assert_eq!(reference.names(".assetsync-host/aside"), [""; 0]);
    assert_eq!(reference.files("host"), files(&[("index.html", "new page")]));
}

#[test]
fn a_damaged_content_is_never_published() {
    let reference = TestHost::new();
    let old = reference.write("old", &[("index.html", "old page")]);
    reference.deploy(&old, "host", None, Decision::default());
    let new = reference.write("new", &[("index.html", "new page")]);
    reference.deploy(&new, "host", None, setting_aside("index.html", "old page"));
    let name = format!(".assetsync-host/aside/{}", Digest::of(b"old page"));
    fs::write(reference.at(&name), "bad page").unwrap();
    let back = Source::of(entries(&old), &reference.at("nothing")).unwrap();
    let refused = || {
        let connection = reference.connection(None);
        reference.try_stage(&back, "host", &connection, Decision::default()).err().unwrap()
    };
    assert!(matches!(refused(), PushError::Missing { .. }), "{}", refused());
    // A content of the right path and size, but another one, is no help either.
    reference.write("contents", &[("index.html", "bad page")]);
    let bad = Source::of(entries(&old), &reference.at("contents")).unwrap();
    let connection = reference.connection(None);
    let tried = reference.try_stage(&bad, "host", &connection, Decision::default());
    assert!(matches!(tried.err(), Some(PushError::Missing { .. })));
    assert_eq!(reference.files("host"), files(&[("index.html", "new page")]));
    // The right one is.
    let good = Source::of(entries(&old), &reference.at("old")).unwrap();
    reference.deploy(&good, "host", None, Decision::default());
    assert_eq!(reference.files("host"), files(&[("index.html", "old page")]));
}

#[test]
fn a_content_that_is_nowhere_is_named_before_anything_travels() {
    let reference = TestHost::new();
    let old = reference.write("old", &[("a.txt", "a"), ("b.txt", "b")]);
    reference.push(&reference.write("other", &[("a.txt", "a")]), "host", None);
    let back = Source::of(entries(&old), &reference.at("nothing")).unwrap();
    let connection = reference.connection(None);
    let tried = reference.try_stage(&back, "host", &connection, Decision::default());
    let said = tried.err().unwrap().to_string();
    assert!(
        said.starts_with("b.txt is neither retained on the host nor in the local store"),
        "{said}"
    );
}

#[test]
fn sources_without_digests_or_with_a_path_twice_are_refused() {
    let reference = TestHost::new();
    let whole = entries(&reference.write("src", &[("a.txt", "a")]));
    let nothing = reference.at("nothing");
    let twice = [&whole[..], &whole].concat();
    let mut unknown = whole;
    unknown[0].digest = None;
    for wrong in [twice, unknown] {
        assert!(Source::of(wrong, &nothing).is_err());
    }
}

#[test]
fn unknown_files_beside_retained_contents_are_left_alone() {
    let reference = TestHost::new();
    let old = reference.write("old", &[("index.html", "old page")]);
    reference.deploy(&old, "host", None, Decision::default());
    let new = reference.write("new", &[("index.html", "new page")]);
    reference.deploy(&new, "host", None, setting_aside("index.html", "old page"));
    let retained_contents = reference.at(".assetsync-host/aside");
    let digest = |byte: u8| Digest([byte; 32]).to_string();
    fs::write(retained_contents.join("notes.txt"), "mine").unwrap();
    fs::write(retained_contents.join(digest(0xab).to_uppercase()), "mine").unwrap();
    fs::create_dir(retained_contents.join(digest(1))).unwrap();
    symlink(reference.at("old/index.html"), retained_contents.join(digest(2))).unwrap();
    let found = reference.survey("host", None).retained_contents;
    assert_eq!(
        found.iter().map(|retained_contents| retained_contents.digest).collect::<Vec<_>>(),
        [Digest::of(b"old page")]
    );
    let retained_to_drop = vec![found[0].digest, Digest([1; 32]), Digest([2; 32])];
    reference.deploy(&new, "host", None, Decision { retained_to_drop, ..Decision::default() });
    assert_eq!(reference.names(".assetsync-host/aside").len(), 4);
    // A directory that leads elsewhere is not followed.
    fs::rename(&retained_contents, reference.at("elsewhere")).unwrap();
    symlink(reference.at("elsewhere"), &retained_contents).unwrap();
    let tried = survey(&reference.target("host"), &reference.connection(None), &reference.notices);
    assert!(matches!(tried, Err(PushError::Agent(_))), "{tried:?}");
}

fn entries(source: &Source) -> Vec<SourceEntry> {
    source.hashed().unwrap().to_vec()
}
