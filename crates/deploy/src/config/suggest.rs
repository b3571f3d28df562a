//! The name that was probably meant.

use strsim::damerau_levenshtein;

/// The candidate most like `given`, if one is like it at all: a third of its letters may be wrong.
///
/// Capitals, and what separates words, make no difference.
pub(crate) fn nearest(given: &str, candidates: &[impl AsRef<str>]) -> Option<String> {
    let given = letters(given);
    let distances = candidates.iter().map(|candidate| {
        let candidate = candidate.as_ref();
        (damerau_levenshtein(&given, &letters(candidate)), candidate)
    });
    let (distance, best) = distances.min_by_key(|(distance, _)| *distance)?;
    let allowed = letters(best).chars().count().max(given.chars().count()) / 3;
    (distance <= allowed).then(|| best.to_owned())
}

/// The name's letters and digits, which are what people remember. Long names are no typing errors
/// of ours.
fn letters(name: &str) -> String {
    const ENOUGH: usize = 60;
    let letters = name.chars().filter(|c| c.is_alphanumeric()).take(ENOUGH);
    letters.flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn similar_names() {
        let names = ["deploy_to", "rbenv.map_bins", "hosts", "keep", "port"];
        let rows = [
            ("deploy-to", Some("deploy_to")),
            ("deployTo", Some("deploy_to")),
            ("rbenv_map_bins", Some("rbenv.map_bins")),
            ("host", Some("hosts")),
            ("keeep", Some("keep")),
            ("prot", Some("port")),
            ("branch", None),
            ("", None),
            ("k", None),
        ];
        for (given, expected) in rows {
            assert_eq!(nearest(given, &names).as_deref(), expected, "{given}");
        }
        assert_eq!(nearest("a", &[] as &[&str]), None);
    }
}
