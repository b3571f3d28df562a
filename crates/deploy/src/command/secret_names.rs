//! Recognizes secrets: names that are given to secrets, and passwords in URLs.

/// The text that replaces a secret.
pub(super) const REDACTION: &str = "[REDACTED]";

/// Parts of the names of secrets, in upper case.
const SECRET_NAME_PARTS: &[&str] =
    &["KEY", "TOKEN", "PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "CREDENTIAL"];

/// Words that end names of secrets, after `_`, `-` or `.`; within other names they mean nothing.
const SECRET_LAST_WORDS: &[&str] = &["PAT", "AUTH", "PASS", "PWD", "JWT", "PIN", "OTP"];

/// Whether a variable's value is a secret: by its name, or because it is a URL with a password in
/// it.
pub(super) fn is_secret(name: &str, value: &str) -> bool {
    is_secret_name(name) || contains_password(value)
}

/// Whether a name is that of a secret; case does not matter.
pub(crate) fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let last_word = name.rsplit_once(['_', '-', '.']).map(|(_, word)| word);
    SECRET_NAME_PARTS.iter().any(|part| name.contains(part))
        || last_word.is_some_and(|word| SECRET_LAST_WORDS.contains(&word))
}

/// Whether a text has a URL with a password.
pub(crate) fn contains_password(text: &str) -> bool {
    passwords(text).next().is_some()
}

/// The passwords of the URLs in a text.
pub(super) fn passwords(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("://").filter_map(|(at, mark)| {
        let rest = &text[at + mark.len()..];
        let ends = |c: char| c.is_whitespace() || "/?#'\"".contains(c);
        let authority = rest.split(ends).next().unwrap_or(rest);
        let (user, _) = authority.rsplit_once('@')?;
        user.split_once(':').map(|(_, password)| password)
    })
}

/// Values that a command's text assigns to names of secrets, as in `API_TOKEN=abc rake` or
/// `--password=abc`.
pub(super) fn assigned(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices('=').filter_map(|(at, _)| {
        let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
        let name = text[..at].rsplit(|c| !is_part(c)).next().unwrap_or_default();
        let rest = &text[at + 1..];
        let value = match rest.chars().next() {
            Some(quote @ ('"' | '\'')) => rest[1..].split(quote).next(),
            _ => rest.split(|c: char| c.is_whitespace() || ";|&)\"'".contains(c)).next(),
        };
        // A value that begins with a dollar is a variable.
        value.filter(|value| is_secret_name(name) && !value.starts_with('$'))
    })
}
