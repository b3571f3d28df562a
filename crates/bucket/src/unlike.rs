//! How an object differs from what the last push left; pure.

use std::fmt;

use assetsync_core::text;

use crate::headers::Headers;

/// Headers that are compared also where a push set none.
const COMPARED: [&str; 3] = ["cache-control", "content-encoding", "content-type"];

/// Headers that servers do not answer as they were set.
const NOT_ANSWERED: [&str; 3] =
    ["x-amz-acl", "x-amz-server-side-encryption", "x-amz-storage-class"];

/// An object that is not as the last push left it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnlikeObject {
    /// Its key below the prefix.
    pub path: String,
    /// What is wrong with it.
    pub difference: ObjectDifference,
}

/// How an object differs from what the last push left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObjectDifference {
    /// There is no such object.
    Missing,
    /// Size or ETag.
    Content,
    /// A header.
    Header {
        /// Its name, in lower case.
        name: String,
        /// As the push set it, if it did.
        expected: Option<String>,
        /// As the server answers it, if it does.
        found: Option<String>,
    },
}

impl fmt::Display for UnlikeObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = text::name(self.path.as_bytes());
        let quoted = |value: &Option<String>| match value {
            Some(value) => format!("'{}'", text::line(value.as_bytes())),
            None => "missing".to_owned(),
        };
        match &self.difference {
            ObjectDifference::Missing => write!(f, "{path} is missing"),
            ObjectDifference::Content => write!(f, "{path} has other content"),
            ObjectDifference::Header { name, expected: None, found } => {
                write!(f, "{path} has {name} {}, which no push set", quoted(found))
            }
            ObjectDifference::Header { name, expected, found } => {
                write!(f, "{name} of {path} is {}, not {}", quoted(found), quoted(expected))
            }
        }
    }
}

/// The first header that is not as expected.
pub fn differences<'h>(
    expected: &Headers,
    answered: impl Fn(&str) -> Option<&'h str>,
) -> Option<ObjectDifference> {
    let set = expected.iter().map(|(name, _)| name);
    let names = COMPARED.into_iter().chain(set).filter(|name| !NOT_ANSWERED.contains(name));
    let differs = |name: &str| {
        let (expected, found) = (expected.get(name), answered(name));
        (expected != found).then(|| ObjectDifference::Header {
            name: name.to_owned(),
            expected: expected.map(str::to_owned),
            found: found.map(str::to_owned),
        })
    };
    names.into_iter().find_map(differs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_that_differ_and_those_that_servers_do_not_answer() {
        let mut expected = Headers::default();
        for (name, value) in [
            ("content-type", "text/css"),
            ("x-amz-meta-team", "web"),
            ("x-amz-storage-class", "STANDARD_IA"),
        ] {
            expected.try_set(name, value).unwrap();
        }
        let with = |more: (&'static str, &'static str)| {
            let all = [more, ("content-type", "text/css"), ("x-amz-meta-team", "web")];
            let answered = |name: &str| all.iter().find(|(known, _)| *known == name).map(|it| it.1);
            let found = differences(&expected, answered)?;
            Some(UnlikeObject { path: "a.css".to_owned(), difference: found }.to_string())
        };
        assert_eq!(with(("date", "x")), None);
        let table = [
            ("content-type", "text/js", "content-type of a.css is 'text/js', not 'text/css'"),
            ("cache-control", "no-store", "a.css has cache-control 'no-store', which no push set"),
            ("x-amz-meta-team", "ops", "x-amz-meta-team of a.css is 'ops', not 'web'"),
        ];
        for (name, value, expected) in table {
            assert_eq!(with((name, value)).as_deref(), Some(expected));
        }
    }
}
