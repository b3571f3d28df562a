use proptest::prelude::*;

use super::*;

/// What is learned from pairs of old and new contents, as `old > new`.
fn words(samples: &[(String, String)]) -> Vec<String> {
    let learned = learn(samples.iter().map(|(old, new)| (old.as_bytes(), new.as_bytes())));
    let text = |bytes| String::from_utf8(bytes).unwrap();
    learned.into_iter().map(|(old, new)| format!("{} > {}", text(old), text(new))).collect()
}

/// Contents that differ in nothing but what stands for `@`.
fn samples(count: usize, old: &str, new: &str) -> Vec<(String, String)> {
    let content = |at: usize, text: &str| {
        format!("const chunk{at}={{id:`@`}};export{{chunk{at} as a{at}}};").replace('@', text)
    };
    (0..count).map(|at| (content(at, old), content(at, new))).collect()
}

#[test]
fn a_version_number_is_learned_with_what_it_belongs_to() {
    let rows = [
        ("n8n@2.40.2", "n8n@2.40.3", "n8n@2.40.2 > n8n@2.40.3"),
        ("n8n@2.40.3", "n8n@2.41.0", "n8n@2.40.3 > n8n@2.41.0"),
        ("app@9.9.9", "app@9.10.0-beta.1", "app@9.9.9 > app@9.10.0-beta.1"),
        ("4.3.3", "4.3.4", "`4.3.3` > `4.3.4`"),
        ("x_174e6_1", "x_1u9jg_1", "x_174e6_1 > x_1u9jg_1"),
        ("build 3f2a91c0", "build 77b01d5e", "3f2a91c0 > 77b01d5e"),
    ];
    for (old, new, expected) in rows {
        assert_eq!(words(&samples(3, old, new)), [expected]);
    }
}

#[test]
fn a_text_in_ever_other_surroundings_is_learned_without_them() {
    let content = |at: usize, version: &str| {
        format!("[\"https://raw.example.com/frontend/{version}/src/components/{at}/ha-{at}.ts\"]")
    };
    let samples: Vec<_> =
        (0..5).map(|at| (content(at, "20250109.1"), content(at, "20250109.2"))).collect();
    assert_eq!(words(&samples), ["20250109.1 > 20250109.2"]);
}

#[test]
fn what_is_seen_in_two_files_is_not_learned() {
    assert_eq!(words(&samples(2, "n8n@2.40.2", "n8n@2.40.3")), [""; 0]);
    let often = ["n8n@2.40.2 and so much between that they are two differences"; 50].concat();
    assert_eq!(words(&samples(2, &often, &often.replace("40.2", "40.3"))), [""; 0]);
}

#[test]
fn what_would_change_other_places_is_not_learned() {
    let text = |last: &str| {
        let stays = "version=20250109.1 of something that has not changed at all; ".repeat(3);
        format!("{stays}version={last}; and the rest of the file")
    };
    let samples: Vec<_> = (0..9).map(|_| (text("20250109.1"), text("20250109.2"))).collect();
    assert_eq!(words(&samples), [""; 0]);
}

#[test]
fn several_are_learned_the_most_frequent_first() {
    let old = |at: usize| match at {
        0..5 => format!("import a from './a-11111111.js';import b from './b-22222222.js';{at}"),
        _ => format!("import a from './a-11111111.js';{at}"),
    };
    let new = |at| old(at).replace("11111111", "33333333").replace("22222222", "4444-444");
    let samples: Vec<_> = (0..8).map(|at| (old(at), new(at))).collect();
    let expected = ["./a-11111111.js > ./a-33333333.js", "./b-22222222.js > ./b-4444-444.js"];
    assert_eq!(words(&samples), expected);
}

#[test]
fn of_two_successors_the_more_frequent_one_is_learned() {
    let mut samples = samples(9, "n8n@2.40.2", "n8n@2.40.3");
    samples.extend(self::samples(4, "n8n@2.40.2", "n8n@2.40.4"));
    assert_eq!(words(&samples), ["n8n@2.40.2 > n8n@2.40.3"]);
}

#[test]
fn surroundings_end_where_the_next_difference_begins() {
    let (old, new) = (b"x1-0123456789abcdef-1", b"x22-0123456789abcdef-2");
    let found = differences(old, new);
    assert_eq!(found, [(1..2, 1..3), (20..21, 21..22)]);
    assert_eq!(surroundings(old, new, &found[0], REACHES[1]), (1, 18));
    assert_eq!(surroundings(old, new, &found[1], REACHES[1]), (18, 0));
    assert_eq!(surroundings(old, new, &found[1], REACHES[0]), (0, 0));
}

#[test]
fn other_files_teach_nothing() {
    let noise = |seed: u32| -> String {
        let mut state = seed | 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            char::from(b' ' + (state >> 8) as u8 % 95)
        };
        (0..20_000).map(|_| next()).collect()
    };
    let samples: Vec<_> = (0..20).map(|seed| (noise(seed), noise(seed + 100))).collect();
    assert_eq!(words(&samples), [""; 0]);
    assert_eq!(words(&[]), [""; 0]);
}

#[test]
fn differences_are_found_and_long_ones_end_the_walk() {
    let rows: [(&str, &str, &[Difference]); 7] = [
        ("same", "same", &[]),
        ("", "added", &[(0..0, 0..5)]),
        ("removed", "", &[(0..7, 0..0)]),
        (
            "0123456789abcdef_0123456789abcdef",
            "0123456789abcdef0123456789abcdef",
            &[(16..17, 16..16)],
        ),
        ("x0123456789abcdefy", "z0123456789abcdefy", &[(0..1, 0..1)]),
        ("x12345y", "z12345w", &[(0..7, 0..7)]),
        ("", &"long".repeat(100), &[]),
    ];
    for (old, new, expected) in rows {
        assert_eq!(differences(old.as_bytes(), new.as_bytes()), expected, "{old} {new}");
    }
}

proptest! {
    #[test]
    fn learned_substitutes_reduce_the_difference(
        contents in prop::collection::vec(prop::collection::vec(0..6_usize, 0..40), 0..12),
    ) {
        let old = ["alpha-1.0.0", "beta_22222222", " and between them some words ", "{};", "alpha", "x"];
        let new = ["alpha-1.0.1", "beta_33333333", " and between them some words ", "{};", "alpha", "yy"];
        let build = |parts: &Vec<usize>, words: [&str; 6]| -> String {
            parts.iter().map(|&part| words[part]).collect()
        };
        let samples: Vec<_> =
            contents.iter().map(|parts| (build(parts, old), build(parts, new))).collect();
        let samples: Vec<_> =
            samples.iter().map(|(old, new)| (old.as_bytes(), new.as_bytes())).collect();
        let learned = learn(samples.iter().copied());
        let olds: std::collections::HashSet<_> = learned.iter().map(|(old, _)| old).collect();
        prop_assert_eq!(olds.len(), learned.len());
        let pairs = learned.iter().map(|(old, new)| (&old[..], &new[..]));
        let rewriter = Rewriter::new(pairs).unwrap();
        let exact = |rewritten: bool| {
            let is_exact = |(old, new): &&(&[u8], &[u8])| {
                if rewritten { rewriter.rewrite(old) == *new } else { old == new }
            };
            samples.iter().filter(is_exact).count()
        };
        prop_assert!(exact(true) >= exact(false));
    }
}
