//! The filter beside its referee: real rsync over real trees, under tables of rules and random
//! ones.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use assetsync_sync::internals::{is_covered, is_included};
use assetsync_sync::{Filter, Rule, parse_lines};

/// Rule lists, each worth a look by itself; a random one seldom gets there.
const TABLE: &[&[&str]] = &[
    &["*.js"],
    &["+ */", "+ *.js", "*"],
    &["+ /foo/", "+ /foo/bar/***", "*"],
    &["+ foo/**", "*"],
    &["foo/***"],
    &["/foo/***"],
    &["foo***"],
    &["***"],
    &["**"],
    &["/**"],
    &["/***"],
    &["/*"],
    &["/"],
    &["//"],
    &["///"],
    &["foo//"],
    &["//foo"],
    &["foo//bar"],
    &["a/b"],
    &["/a/b/"],
    &["a/*/b"],
    &["a/**/b"],
    &["**/b"],
    &["**/a/b"],
    &["/**/b"],
    &["**b"],
    &["a**"],
    &["a**/"],
    &["a**b"],
    &["a*/b***"],
    &["b\\c"],
    &["b\\c*"],
    &["b\\\\c*"],
    &["\\[a]"],
    &["[[]a]"],
    &["[a]"],
    &["[]a]*"],
    &["[!a]*"],
    &["[^a]*"],
    &["*[!]a]"],
    &["a[*]"],
    &["a\\*"],
    &["a[**]"],
    &["a[/]b"],
    &["a[!x]b"],
    &["foo[!x]bar"],
    &["a?b"],
    &["[[:digit:][:upper:]]*"],
    &["*[[:punct:]]*"],
    &["*[[:space:]]*"],
    &["[[:nosuch:]]*"],
    &["[[:alpha:]"],
    &["[[:alpha]*"],
    &["[a-"],
    &["["],
    &["*["],
    &["*\\"],
    &["foo\\"],
    &["a-z", "[a-b-z]*"],
    &["[z-a]*"],
    &["*a*b*"],
    &["+ x-y", "- *-*", "+ *"],
    &["-z", "+foo"],
    &["- -z"],
    &["foo", "!", "bar"],
    &["!foo"],
    &["!!"],
    &["", "foo"],
    &[" foo", "foo "],
    &["FOO", "\u{e9}*"],
    &["[\u{e9}]*"],
];

const NAMES: &[&str] = &[
    "[", "a", "b", "ab", "foo", "bar", "foo.js", "a.map", "x-y", "[a]", "a*", "b\\c", "-z", "B1",
    "\u{e9}t", "a b", "!foo", "+foo", "a]", "*", "foo ", "axb", "?",
];

const PIECES: &[&str] = &[
    "a",
    "b",
    "foo",
    "bar",
    "ab",
    ".js",
    "*",
    "*",
    "**",
    "?",
    "[ab]",
    "[!a]",
    "[^fb]",
    "[a-f]",
    "[[:alpha:]]",
    "[![:lower:]]",
    "\\*",
    "\\a",
    "[*]",
    "x-y",
    "***",
    "[]a]",
    "[a/]",
    "[",
    "\\",
];

/// A small generator of its own, so that a failing seed means the same tree and rules for good.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed >> 33) % limit as u64).expect("below a usize")
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    fn pattern(&mut self) -> String {
        let mut pattern = String::from(["", "", "", "/", "**/"][self.below(5)]);
        for component in 0..=self.below(3) {
            if component > 0 {
                pattern.push('/');
            }
            for _ in 0..=self.below(3) {
                pattern.push_str(self.pick(PIECES));
            }
        }
        pattern.push_str(["", "", "", "/", "/**", "/***"][self.below(6)]);
        pattern
    }

    fn rule(&mut self) -> (Rule, String) {
        let rule = if self.below(3) == 0 { Rule::Include } else { Rule::Exclude };
        let prefix = ["", "", "", "+ ", "- "][self.below(5)];
        (rule, format!("{prefix}{}", self.pattern()))
    }
}

type Listing = BTreeSet<(Vec<u8>, bool)>;

fn grow(dir: &Path, depth: usize, random: &mut Random) {
    for name in NAMES {
        let path = dir.join(name);
        if depth > 0 && random.below(3) > 0 {
            fs::create_dir(&path).expect("a directory");
            if random.below(depth + 1) > 0 {
                grow(&path, depth - 1, random);
            }
        } else if random.below(2) > 0 {
            fs::write(&path, b"x").expect("a file");
        }
    }
}

fn walk(dir: &Path, under: &[u8], keep: &impl Fn(&[u8], bool) -> bool, found: &mut Listing) {
    for entry in fs::read_dir(dir).expect("a readable directory") {
        let entry = entry.expect("an entry");
        let is_dir = entry.file_type().expect("a type").is_dir();
        let mut path = under.to_vec();
        path.extend_from_slice(entry.file_name().as_bytes());
        if !keep(&path, is_dir) {
            continue;
        }
        found.insert((path.clone(), is_dir));
        if is_dir {
            path.push(b'/');
            walk(&entry.path(), &path, keep, found);
        }
    }
}

fn flags(rules: &[(Rule, String)]) -> Vec<String> {
    let flag = |rule| if rule == Rule::Include { "--include" } else { "--exclude" };
    rules.iter().map(|(rule, text)| format!("{}={text}", flag(*rule))).collect()
}

fn parse(rules: &[(Rule, String)]) -> Filter {
    Filter::parse(rules.iter().map(|(rule, text)| (*rule, text.as_bytes()))).expect("valid rules")
}

fn excludes(patterns: &[&str]) -> Vec<(Rule, String)> {
    patterns.iter().map(|text| (Rule::Exclude, (*text).to_owned())).collect()
}

fn rsync(flags: &[impl AsRef<OsStr>], from: &Path, to: &Path) -> Vec<u8> {
    let mut command = Command::new("rsync");
    command.args(["-rn8", "--out-format=%n"]).args(flags);
    let output = command
        .arg(from.join(""))
        .arg(to)
        .output()
        .expect("these tests need rsync: apt-get install rsync");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "rsync: {complaint}");
    output.stdout
}

fn listing(output: &[u8]) -> Listing {
    let lines = output.split(|&byte| byte == b'\n').filter(|line| !matches!(*line, b"" | b"./"));
    lines
        .map(|line| {
            line.strip_suffix(b"/").map_or((line.to_vec(), false), |dir| (dir.to_vec(), true))
        })
        .collect()
}

struct Trees {
    _dir: tempfile::TempDir,
    full: PathBuf,
    empty: PathBuf,
}

impl Trees {
    fn new(seed: u64) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let (full, empty) = (dir.path().join("full"), dir.path().join("empty"));
        fs::create_dir(&full).expect("a directory");
        fs::create_dir(&empty).expect("a directory");
        grow(&full, 2, &mut Random(seed));
        Self { _dir: dir, full, empty }
    }

    fn assert_same_visit(&self, flags: &[String], filter: &Filter) {
        let theirs = listing(&rsync(flags, &self.full, &self.empty));
        let mut ours = Listing::new();
        let keep = |path: &[u8], is_dir| is_included(filter, path, is_dir);
        walk(&self.full, b"", &keep, &mut ours);
        assert_same(&ours, &theirs, flags);
    }

    /// Only files: whether rsync names a directory depends on what is protected inside it.
    fn assert_same_deletion(&self, flags: &[String], filter: &Filter) {
        let flags = [flags, &["--delete".to_owned(), "--force".to_owned()]].concat();
        let output = rsync(&flags, &self.empty, &self.full);
        let deleted = output
            .split(|&byte| byte == b'\n')
            .filter_map(|line| line.strip_prefix(b"deleting "))
            .filter(|line| !line.ends_with(b"/"));
        let theirs: Listing = deleted.map(|line| (line.to_vec(), false)).collect();
        let mut all = Listing::new();
        walk(&self.full, b"", &|_, _| true, &mut all);
        all.retain(|(path, is_dir)| !is_dir && !is_covered(filter, path));
        assert_same(&all, &theirs, &flags);
    }
}

fn assert_same(ours: &Listing, theirs: &Listing, flags: &[String]) {
    let name = |(path, is_dir): &(Vec<u8>, bool)| {
        format!("{}{}", String::from_utf8_lossy(path), if *is_dir { "/" } else { "" })
    };
    let only_ours: Vec<_> = ours.difference(theirs).take(5).map(name).collect();
    let only_theirs: Vec<_> = theirs.difference(ours).take(5).map(name).collect();
    assert!(
        only_ours.is_empty() && only_theirs.is_empty(),
        "{flags:?}\n  only here: {only_ours:?}\n  only rsync: {only_theirs:?}"
    );
}

#[test]
fn table_visits_the_same_paths() {
    let trees = Trees::new(1);
    for patterns in TABLE {
        let rules = excludes(patterns);
        trees.assert_same_visit(&flags(&rules), &parse(&rules));
    }
}

#[test]
fn random_rules_visit_the_same_paths() {
    let mut random = Random(20_250_109);
    for seed in 0..4 {
        let trees = Trees::new(seed);
        for _ in 0..75 {
            let rules: Vec<_> = (0..=random.below(5)).map(|_| random.rule()).collect();
            trees.assert_same_visit(&flags(&rules), &parse(&rules));
        }
    }
}

#[test]
fn excluded_paths_are_protected_from_deletion_alike() {
    let trees = Trees::new(5);
    let mut random = Random(7);
    for _ in 0..60 {
        let rules: Vec<_> = (0..=random.below(3)).map(|_| random.rule()).collect();
        trees.assert_same_deletion(&flags(&rules), &parse(&rules));
    }
}

#[test]
fn rule_files_are_read_alike() {
    let trees = Trees::new(6);
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("rules");
    let text = b"# foo\n;bar\n\n+ foo.js\r\n*.js\n foo\na b\n!\n- /ab/\nfoo \n+ x-y\n?-?\n#\n[a]";
    fs::write(&file, text).expect("a file");
    for (rule, flag) in [(Rule::Exclude, "--exclude-from"), (Rule::Include, "--include-from")] {
        let filter = Filter::parse(parse_lines(text, rule)).expect("valid rules");
        let flags = [format!("{flag}={}", file.display()), "--exclude=/b*".to_owned()];
        let last = [(Rule::Exclude, &b"/b*"[..])];
        let both = Filter::parse(parse_lines(text, rule).chain(last)).expect("valid rules");
        trees.assert_same_visit(&flags[..1], &filter);
        trees.assert_same_visit(&flags, &both);
    }
}
