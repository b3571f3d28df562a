//! Promise: explain says why a file travelled as it did in the last push, and what it cost.

use std::fs;
use std::path::Path;

use crate::fleet::Fleet;
use crate::support::{Machine, OrFail, Ran, Way, local_shell, scratch, text};

/// Text that nothing compresses much, of the lines `numbers`.
fn lines(numbers: std::ops::Range<u64>) -> String {
    let line = |number: u64| {
        let random = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23) ^ number;
        format!("export const a{number} = {:x};\n", random.wrapping_mul(random | 1))
    };
    numbers.map(line).collect()
}

fn write(dir: &Path, files: &[(&str, &str)]) {
    let _ = fs::remove_dir_all(dir);
    fs::create_dir_all(dir).or_fail();
    files.iter().for_each(|(name, content)| fs::write(dir.join(name), content).or_fail());
}

fn explain(machine: &Machine, way: &Way, file: &str) -> Ran {
    machine.run(["explain", way.destination.as_str(), file])
}

#[track_caller]
fn assert_says(ran: &Ran, parts: &[&str]) {
    assert_eq!(ran.code(), Some(0), "{}{}", ran.stdout(), ran.stderr());
    for part in parts {
        assert!(ran.stdout().contains(part), "{part}: {}", ran.stdout());
    }
}

#[test]
fn each_way_has_its_reason() {
    let (machine, dir) = (Machine::new(), scratch());
    let source = dir.path().join("source");
    let way = Way::shell(&local_shell(dir.path()), &dir.path().join("live"));
    let (old, kept, moved) = (lines(0..3000), lines(5000..5100), lines(6000..6100));
    write(&source, &[("app-0a1b2c3d.js", &old), ("kept.js", &kept), ("moved.js", &moved)]);
    machine.push(&way, &["--recipes", "all"], &source);
    let new = old.replacen("export", "import", 1);
    let fresh = lines(9000..9200);
    let files =
        [("app-4e5f6a7b.js", &*new), ("kept.js", &kept), ("new.js", &fresh), ("to.js", &moved)];
    write(&source, &files);
    let times = fs::File::options().write(true).open(source.join("kept.js")).or_fail();
    let kept_time = fs::metadata(dir.path().join("live/kept.js")).or_fail().modified().or_fail();
    times.set_modified(kept_time).or_fail();
    machine.push(&way, &["--recipes", "all"], &source);

    let patched = explain(&machine, &way, "public/assets/app-4e5f6a7b.js");
    assert_says(
        &patched,
        &["patched,", "compared here with app-0a1b2c3d.js", "new content, about"],
    );
    assert_says(&patched, &["not sent whole", "estimated at", "not copied there"]);
    assert_says(&explain(&machine, &way, "kept.js"), &["unchanged,", "no content was sent"]);
    let copied = explain(&machine, &way, "./to.js");
    assert_says(&copied, &["copied there,", "the host had this content: moved.js"]);
    let whole = explain(&machine, &way, "new.js");
    assert_says(&whole, &["sent whole,", "not copied there", "no file there had this content"]);
    let cost = format!("{} B of new content", fresh.len());
    assert!(whole.stdout().replace(',', "").contains(&cost), "{cost}: {}", whole.stdout());

    // What changes nothing leaves the last one that changed something.
    machine.push(&way, &["--recipes", "all"], &source);
    assert_says(&explain(&machine, &way, "new.js"), &["sent whole,"]);
    let missing = explain(&machine, &way, "gone.js");
    assert_eq!(missing.code(), Some(1));
    assert!(missing.stdout().contains("there is no such file at the destination"));
}

#[test]
fn blocks_are_counted_on_a_quick_line() {
    let (machine, dir) = (Machine::new(), scratch());
    let (source, live) = (dir.path().join("source"), dir.path().join("live"));
    let old = lines(0..3000);
    write(&source, &[("app.js", &old)]);
    machine.push(&Way::local(&live), &["--no-store"], &source);
    write(&source, &[("app.js", &old.replacen("export", "import", 1))]);
    machine.push(&Way::local(&live), &["--recipes", "delta"], &source);
    let ran = explain(&machine, &Way::local(&live), "app.js");
    assert_says(&ran, &["patched by blocks,", "by checksums of blocks with app.js on the host"]);
    assert_says(&ran, &["B of new content"]);
}

#[test]
fn without_a_remembered_push() {
    let (machine, dir) = (Machine::new(), scratch());
    let (source, live) = (dir.path().join("source"), dir.path().join("live"));
    write(&source, &[("app.js", "app()")]);
    machine.push(&Way::local(&live), &["--no-store"], &source);
    let ran = explain(&machine, &Way::local(&live), "app.js");
    assert_eq!((ran.code(), ran.stdout().as_str()), (Some(1), ""));
    for part in ["no push from here to this destination is remembered", "assetsync store status"] {
        assert!(ran.stderr().contains(part), "{part}: {}", ran.stderr());
    }
    machine.push(&Way::local(&live), &[], &source);
    fs::write(source.join("app.js"), "app(2)").or_fail();
    machine.push(&Way::local(&live), &[], &source);
    assert_says(&explain(&machine, &Way::local(&live), "app.js"), &["sent whole"]);
    // What is damaged is not there.
    let records = machine.home().join(".cache/assetsync/store/pushes");
    for entry in fs::read_dir(records).or_fail() {
        fs::write(entry.or_fail().path(), "damaged").or_fail();
    }
    assert_eq!(explain(&machine, &Way::local(&live), "app.js").code(), Some(1));
}

#[test]
fn a_stage_explains_for_each_host() {
    let fleet = Fleet::of(2);
    fleet.build(&[("app.js", "app()")]);
    fleet.json("deploy production");
    let ran = fleet.run("explain production public/assets/app.js");
    assert_says(&ran, &["web1: app.js\n", "web2: app.js\n", "sent whole"]);
    let one = fleet.run(&format!("explain production {} --hosts web2", text(Path::new("app.js"))));
    assert!(!one.stdout().contains("web1"), "{}", one.stdout());
}
