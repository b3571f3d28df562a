//! The output of `assetsync explain`.

use std::fmt::Write;
use std::time::SystemTime;

use assetsync_sync::Explanation;
use assetsync_units::{bytes, number, plural};

/// The ways for a file to travel, in the order of how little they send.
const WAYS: [(&str, &str); 6] = [
    ("copy", "copied there"),
    ("rewrite", "rewritten there"),
    ("patch", "patched"),
    ("regzip", "compressed there"),
    ("delta", "patched by blocks"),
    ("whole", "sent whole"),
];

/// How a file travelled, what that cost, and why not otherwise.
pub fn text(label: &str, about: &Explanation) -> String {
    let rows = rows(about);
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let heading = format!("{label}: {}\n", about.path);
    rows.iter().fold(heading, |mut text, (name, value)| {
        let _ = writeln!(text, "  {name:<width$}  {value}");
        text
    })
}

fn rows(about: &Explanation) -> Vec<(String, String)> {
    let mut rows = Vec::new();
    let mut row = |name: &str, value: String| rows.push((name.to_owned(), value));
    let since = SystemTime::now().duration_since(about.when).unwrap_or_default();
    row("last push", format!("{}, sent {} for all files", ago(since.as_secs()), bytes(about.sent)));
    let Some(recipe) = about.recipe else {
        row("this file", unknown(about));
        return rows;
    };
    row("this file", format!("{}, {}", done(recipe), bytes(about.size)));
    row("because", because(recipe, about));
    row("cost", cost(about));
    if !matches!(recipe, "keep" | "touch") {
        let others = WAYS.iter().filter(|(way, _)| *way != recipe);
        let others = others.filter(|(way, _)| *way != "regzip" || about.path.ends_with(".gz"));
        for (way, words) in others {
            row(&format!("not {words}"), not(way, recipe, about));
        }
    }
    rows
}

fn unknown(about: &Explanation) -> String {
    match about.left_out {
        0 => "there is no such file at the destination; give its path below DEST".into(),
        count => format!(
            "it is not remembered: {} of that push are not, because there were too many",
            plural(count, "changed file")
        ),
    }
}

fn done(recipe: &str) -> &'static str {
    match recipe {
        "keep" => "unchanged",
        "touch" => "only its time or permissions were set",
        way => WAYS.iter().find(|(known, _)| *known == way).map_or("sent", |(_, words)| words),
    }
}

fn because(recipe: &str, about: &Explanation) -> String {
    let basis = about.basis.as_deref().unwrap_or("another file");
    match recipe {
        "keep" => "the host had it, with this content, time and permissions".into(),
        "touch" => "the host had this content at this path".into(),
        "copy" => format!("the host had this content: {basis}"),
        "rewrite" => {
            format!(
                "{basis} becomes it by putting in new names of other files, which the host does"
            )
        }
        "patch" => format!("it was compared here with {basis}, which the store has"),
        "delta" => format!("it was compared by checksums of blocks with {basis} on the host"),
        "regzip" => format!("the host compresses {basis} again in the same way"),
        _ => "nothing that the host has was known to be like it, or to save bytes or time".into(),
    }
}

fn cost(about: &Explanation) -> String {
    let Some(own) = about.own_content else {
        return "not known: it was encoded once for several hosts, and counted for another".into();
    };
    if own == 0 {
        return "no content was sent, only a line of the plan".into();
    }
    let total = about.new_content.max(own);
    let share = (u128::from(about.sent) * u128::from(own) / u128::from(total)) as u64;
    format!(
        "{} B of new content, about {} of the {} sent once compressed",
        number(own),
        bytes(share),
        bytes(about.sent)
    )
}

/// Why a way was not taken.
fn not(way: &str, chosen: &str, about: &Explanation) -> String {
    let estimate = |way: &str| about.offers.iter().find(|(known, ..)| *known == way);
    if let Some((_, cost, allowed)) = estimate(way) {
        let cost = bytes(*cost);
        return match (allowed, estimate(chosen)) {
            (false, _) => {
                format!("estimated at {cost}; not used on a quick line, or not among --recipes")
            }
            (true, Some((_, less, _))) => {
                format!("estimated at {cost} before it was sent, this way at {}", bytes(*less))
            }
            (true, None) => format!("estimated at {cost} before it was sent"),
        };
    }
    let reason = match (way, about.existed) {
        ("copy", _) => "no file there had this content",
        ("rewrite", _) => "no older version becomes it by new names alone",
        ("patch", _) => "the store had no older version to compare it with",
        ("regzip", _) => "its uncompressed file is not beside it",
        ("delta", true) => {
            "the one there was not asked for checksums: too small, compressed, or known here"
        }
        ("delta", false) => "no file there is an older version of it, or it is too small",
        _ => "it was not possible",
    };
    reason.into()
}

fn ago(secs: u64) -> String {
    match secs {
        0..120 => format!("{} ago", plural(secs, "second")),
        120..7200 => format!("{} minutes ago", secs / 60),
        7200..172_800 => format!("{} hours ago", secs / 3600),
        _ => format!("{} days ago", secs / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patched() -> Explanation {
        Explanation {
            when: SystemTime::now() - std::time::Duration::from_secs(600),
            sent: 10_000,
            new_content: 20_000,
            path: "app-2.js".into(),
            recipe: Some("patch"),
            basis: Some("app-1.js".into()),
            size: 412_000,
            own_content: Some(2000),
            existed: false,
            offers: vec![("patch", 566, true), ("delta", 51_000, false), ("whole", 137_000, true)],
            left_out: 0,
        }
    }

    #[test]
    fn a_patched_file() {
        let expected = "\
web1:/srv: app-2.js
  last push              10 minutes ago, sent 10.0 kB for all files
  this file              patched, 412 kB
  because                it was compared here with app-1.js, which the store has
  cost                   2,000 B of new content, about 1.0 kB of the 10.0 kB sent once compressed
  not copied there       no file there had this content
  not rewritten there    no older version becomes it by new names alone
  not patched by blocks  estimated at 51.0 kB; not used on a quick line, or not among --recipes
  not sent whole         estimated at 137 kB before it was sent, this way at 566 B
";
        assert_eq!(text("web1:/srv", &patched()), expected);
    }

    #[test]
    fn a_file_that_did_not_travel() {
        let kept =
            Explanation { recipe: Some("keep"), basis: None, own_content: Some(0), ..patched() };
        let said = text("web1:/srv", &kept);
        assert!(said.contains("unchanged, 412 kB") && !said.contains("not "), "{said}");
        let missing = Explanation { recipe: None, ..patched() };
        assert!(text("web1:/srv", &missing).contains("there is no such file at the destination"));
        let left_out = Explanation { recipe: None, left_out: 3, ..patched() };
        assert!(text("web1:/srv", &left_out).contains("3 changed files of that push"));
    }
}
