//! Redacts secrets: values whose names are those of secrets.

pub(crate) use crate::command::{contains_password, is_secret_name as is_secret};

/// Shown instead of a secret.
pub(crate) const REDACTION: &str = "(hidden)";

/// A line of a file as it may be shown: what a secret's name is set to is hidden up to the line's
/// end.
///
/// A name is followed by an `=`, with only spaces and quotes in between.
pub(crate) fn masked(line: &str) -> String {
    let ends = line.char_indices().filter(|(_, character)| *character == '=').map(|(at, _)| at);
    for equals in ends {
        let before = line[..equals].trim_end_matches([' ', '\t', '"', '\'']);
        let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
        let start = before.rfind(|c| !is_part(c)).map_or(0, |at| at + width(before, at));
        if is_secret(&before[start..]) {
            return format!("{}= {REDACTION}", &line[..equals]);
        }
    }
    if contains_password(line) { REDACTION.to_owned() } else { line.to_owned() }
}

/// How many bytes the character at `at` has.
fn width(text: &str, at: usize) -> usize {
    text[at..].chars().next().map_or(1, char::len_utf8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets() {
        for name in [
            "RAILS_MASTER_KEY",
            "npm_token",
            "TOKEN",
            "PGPASSWORD",
            "SECRET_KEY_BASE",
            "KEY_PASSPHRASE",
            "aws.credentials",
            "GITHUB_PAT",
            "npm_config__auth",
            "SMTP_PASS",
            "MYSQL_PWD",
            "registry.pat",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in [
            "RAILS_ENV",
            "PASS",
            "PORT",
            "PWD",
            "OLDPWD",
            "PATH",
            "AUTHOR",
            "APP_PATH",
            "AUTH_URL",
            "",
        ] {
            assert!(!is_secret(name), "{name}");
        }
    }

    #[test]
    fn lines_lose_their_secrets() {
        let rows = [
            ("RAILS_ENV = \"x\"", "RAILS_ENV = \"x\""),
            ("API_KEY = \"x\" # y", "API_KEY = (hidden)"),
            ("\"API_KEY\"=7", "\"API_KEY\"= (hidden)"),
            (
                "environment = { A = 1, ä.MY_TOKEN = 'x' }",
                "environment = { A = 1, ä.MY_TOKEN = (hidden)",
            ),
            ("--set environment.DB_PASSWORD=x", "--set environment.DB_PASSWORD= (hidden)"),
            ("CACHE = \"redis://u:p@h/0\"", "(hidden)"),
            ("CACHE = \"redis://h/0\"", "CACHE = \"redis://h/0\""),
            ("é= == =", "é= == ="),
        ];
        for (line, expected) in rows {
            assert_eq!(masked(line), expected);
        }
    }
}
