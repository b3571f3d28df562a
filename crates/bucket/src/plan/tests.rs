use assetsync_core::path::RelPath;
use assetsync_core::plan::PublishRank;

use super::*;
use crate::headers::Headers;

fn headers(value: &str) -> Headers {
    let mut headers = Headers::default();
    headers.try_set("cache-control", value).unwrap();
    headers
}

fn wanted(entries: &[(&str, &str, &str)]) -> BTreeMap<String, Wanted> {
    let policy = Policy::default();
    let of = |(path, content, value): &(&str, &str, &str)| {
        let wanted = Wanted {
            source: RelPath::new(path.as_bytes()).unwrap(),
            size: content.len() as u64,
            digest: Digest::of(content.as_bytes()),
            headers: headers(value),
            rank: policy.rank(path.as_bytes()),
        };
        ((*path).to_owned(), wanted)
    };
    entries.iter().map(of).collect()
}

fn state(entries: &[(&str, &str, &str)]) -> State {
    let object = |(path, content, value): &(&str, &str, &str)| {
        let object = Object {
            digest: Some(Digest::of(content.as_bytes())),
            size: content.len() as u64,
            etag: String::new(),
            headers: Some(headers(value)),
        };
        ((*path).to_owned(), object)
    };
    State { objects: entries.iter().map(object).collect(), ..State::default() }
}

fn steps(plan: &BucketPlan) -> Vec<(&str, How)> {
    plan.steps.iter().map(|step| (step.path.as_str(), step.how.clone())).collect()
}

#[test]
fn every_object_has_the_cheapest_step_and_ranks_are_in_order() {
    let there = [
        ("index.html", "old", "a"),
        ("same.css", "css", "a"),
        ("restyled.css", "x", "a"),
        ("moved-3f2a91c0.js", "moved", "a"),
        ("swap.js", "swapped", "a"),
    ];
    let source = wanted(&[
        ("index.html", "new", "a"),
        ("same.css", "css", "a"),
        ("restyled.css", "x", "b"),
        ("to-3f2a91c0.js", "moved", "a"),
        ("new-3f2a91c0.js", "fresh", "a"),
        ("swap.js", "other", "a"),
        ("was-swap.js", "swapped", "a"),
        ("sw.js", "worker", "a"),
    ]);
    let plan = BucketPlan::new(&state(&there), &source, &Policy::default());
    let expected = vec![
        ("new-3f2a91c0.js", How::Send),
        ("to-3f2a91c0.js", How::copy("moved-3f2a91c0.js", Some(&String::new()))),
        ("restyled.css", How::Headers),
        ("swap.js", How::Send),
        ("was-swap.js", How::Send),
        ("index.html", How::Send),
        ("sw.js", How::Send),
    ];
    assert_eq!(steps(&plan), expected);
    assert_eq!(plan.kept, Count { files: 1, bytes: 3 });
    assert!(plan.deletes.is_empty(), "nothing is deleted unasked");
    let early: Vec<&str> =
        plan.steps.iter().filter(|step| step.is_early()).map(|step| step.path.as_str()).collect();
    assert_eq!(early, ["new-3f2a91c0.js", "to-3f2a91c0.js", "was-swap.js"]);
    assert_eq!(plan.steps.last().map(|step| step.wanted.rank), Some(PublishRank::ServiceWorker));
}

#[test]
fn a_content_of_several_objects_is_sent_once() {
    let (font, page) = ("font".repeat(1000), "page".repeat(1000));
    let source = wanted(&[
        ("a-3f2a91c0.woff2", &font, "a"),
        ("b-3f2a91c0.woff2", &font, "b"),
        ("font.woff2", &font, "a"),
        ("old.woff2", &font, "a"),
        ("404.html", &page, "a"),
        ("index.html", &page, "a"),
        ("tiny.css", "a", "a"),
        ("tiny2.css", "a", "a"),
    ]);
    let plan = BucketPlan::new(&state(&[("old.woff2", "old", "a")]), &source, &Policy::default());
    let copy = || How::copy("a-3f2a91c0.woff2", None);
    let expected = vec![
        ("a-3f2a91c0.woff2", How::Send),
        ("b-3f2a91c0.woff2", copy()),
        ("font.woff2", copy()),
        ("old.woff2", copy()),
        ("tiny.css", How::Send),
        ("tiny2.css", How::Send),
        // Of two pages that are published at the same time, neither is there before.
        ("404.html", How::Send),
        ("index.html", How::Send),
    ];
    assert_eq!(steps(&plan), expected);
}

#[test]
fn kept_contents_are_copied_back_however_they_are_compressed() {
    let kept = |name: String| State { kept: [name].into(), ..State::default() };
    let digest = Digest::of(b"old");
    for name in [digest.to_string(), format!("{digest}-gzip")] {
        let source = wanted(&[("a.js", "old", "x")]);
        let plan = BucketPlan::new(&kept(name.clone()), &source, &Policy::default());
        assert_eq!(steps(&plan), [("a.js", How::copy(&format!("{KEPT}{name}"), None))]);
    }
}

#[test]
fn extraneous_objects_are_deleted_if_asked_and_not_protected() {
    let there = state(&[("a.js", "a", "x"), ("old.js", "b", "x"), ("uploads/me.png", "c", "x")]);
    let filter =
        assetsync_sync::Filter::parse([(assetsync_sync::Rule::Exclude, &b"/uploads/"[..])]);
    let policy = Policy { delete: true, filter: filter.unwrap(), ..Policy::default() };
    let plan = BucketPlan::new(&there, &wanted(&[("a.js", "a", "x")]), &policy);
    assert_eq!((plan.steps.len(), plan.deletes), (0, vec!["old.js".to_owned()]));
}

#[test]
fn objects_of_others_are_replaced_whatever_they_are() {
    let mut there = state(&[("a.js", "a", "x")]);
    for object in there.objects.values_mut() {
        (object.digest, object.headers) = (None, None);
    }
    let plan = BucketPlan::new(&there, &wanted(&[("a.js", "a", "x")]), &Policy::default());
    assert_eq!(steps(&plan), [("a.js", How::Send)]);
}
