//! Which values must never be shown, and the only text that may be shown of a command: [`Shown`].

use std::fmt;

use assetsync_core::text;

use super::command_map::CommandMap;
use super::environment::Environment;
use super::invocation::{Invocation, Program, Word};
use super::quote;
use super::secret_names::{REDACTION, assigned, is_secret, passwords};

/// A shorter secret is blotted out only where it is a word of its own: else it would take half of
/// all text with it.
const LONG: usize = 6;
/// A still shorter one is not looked for: it protects nothing, and is likely to be a number or a
/// flag.
const SHORTEST: usize = 3;

/// Text without secrets. Only `Secrets` makes it, so what takes it can't be given anything else.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Shown(String);

impl AsRef<str> for Shown {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Shown {
    /// Whether there is nothing to show.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// Secrets, to keep them out of whatever is shown: command lines, output, errors.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets(Vec<String>);

impl Secrets {
    /// The secrets that `invocation` is given, and those of `map`.
    pub fn of(map: &CommandMap, invocation: &Invocation) -> Secrets {
        let known = Secrets::of_environment(&invocation.environment(map));
        match &invocation.program {
            Program::Named { args, .. } => known.and(args.iter().filter_map(Word::secret)),
            Program::Script(text) | Program::Verbatim(text) => known.and_of_text(text),
        }
    }

    /// The secrets among variables: values of secret names, and URLs with a password, as a whole
    /// and the password alone.
    pub fn of_environment(environment: &Environment) -> Secrets {
        let secret = environment.iter().filter(|(name, value)| is_secret(name, value.text()));
        let texts: Vec<&str> = secret.map(|(_, value)| value.text()).collect();
        let passwords = texts.iter().flat_map(|text| passwords(text));
        Secrets::default().and(texts.iter().copied().chain(passwords))
    }

    /// Adds the secrets in the text of a command: assignments to names of secrets, and passwords of
    /// URLs.
    pub fn and_of_text(self, text: &str) -> Secrets {
        self.and(assigned(text).chain(passwords(text)))
    }

    /// These and others.
    pub fn union(self, others: &Secrets) -> Secrets {
        Secrets(self.0.into_iter().chain(others.0.iter().cloned()).collect()).sorted()
    }

    fn and<'t>(mut self, texts: impl Iterator<Item = &'t str>) -> Secrets {
        self.0.extend(texts.flat_map(forms));
        self.sorted()
    }

    fn sorted(mut self) -> Secrets {
        self.0.retain(|text| text.len() >= SHORTEST);
        // The longer first: one secret may be part of another.
        self.0.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        self.0.dedup();
        self
    }

    /// `text`, of our own or of the user's configuration, with every secret blotted out.
    pub fn redact(&self, text: &str) -> Shown {
        Shown(self.0.iter().fold(text.to_owned(), |text, secret| without_secret(&text, secret)))
    }

    /// The same for what a command printed, which is made safe for a terminal besides.
    pub fn redact_output(&self, printed: &[u8]) -> Shown {
        let Shown(hidden) = self.redact(&String::from_utf8_lossy(printed));
        Shown(text::line(hidden))
    }

    /// How many bytes the longest secret has.
    pub(crate) fn longest(&self) -> usize {
        self.0.first().map_or(0, String::len)
    }

    /// A position near `at` where `printed` can be cut without cutting a secret.
    pub(crate) fn cut(&self, printed: &[u8], at: usize) -> usize {
        let mut cut = at.min(printed.len());
        while let Some((start, end)) = self.covering(printed, cut) {
            if start == 0 {
                return end;
            }
            cut = start;
        }
        cut
    }

    /// A secret in `printed` that a cut at `at` would cut.
    fn covering(&self, printed: &[u8], at: usize) -> Option<(usize, usize)> {
        self.0.iter().find_map(|secret| {
            let len = secret.len();
            let first = at.saturating_sub(len - 1);
            let mut starts = first..at.min((printed.len() + 1).saturating_sub(len));
            let found = starts.find(|&start| printed[start..].starts_with(secret.as_bytes()))?;
            Some((found, found + len))
        })
    }
}

/// The forms of a secret in a text: literal, quoted for shells, and line by line, as in output.
fn forms(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim).map(str::to_owned);
    let in_single_quotes = text.replace('\'', "'\\''");
    let quoted = [in_single_quotes, quote::in_double_quotes(text), quote::escape(text)];
    std::iter::once(text.to_owned()).chain(quoted).chain(lines).collect()
}

/// `text` without `secret`.
fn without_secret(text: &str, secret: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut from = 0;
    for (at, found) in text.match_indices(secret) {
        let end = at + found.len();
        if secret.len() < LONG && !is_word(text, at, end) {
            continue;
        }
        kept.push_str(&text[from..at]);
        kept.push_str(REDACTION);
        from = end;
    }
    kept.push_str(&text[from..]);
    kept
}

/// Whether a range of `text` is not part of a longer word.
fn is_word(text: &str, start: usize, end: usize) -> bool {
    let goes_on = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    !goes_on(text[..start].chars().next_back()) && !goes_on(text[end..].chars().next())
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({} of them)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::super::environment::Value;
    use super::*;

    fn secrets(values: &[&str]) -> Secrets {
        let mut environment = Environment::new();
        for (at, value) in values.iter().enumerate() {
            environment.put(&format!("KEY_{at}"), Value::Text((*value).into()));
        }
        Secrets::of_environment(&environment)
    }

    fn hidden(values: &[&str], text: &str) -> String {
        secrets(values).redact(text).to_string()
    }

    #[test]
    fn a_secret_within_another() {
        let known = ["hunter22", "hunter22-and-more"];
        assert_eq!(hidden(&known, "hunter22-and-more, hunter22"), "[REDACTED], [REDACTED]");
        assert_eq!(format!("{:?}", secrets(&["hunter22"])), "Secrets(1 of them)");
    }

    #[test]
    fn a_short_secret_is_blotted_out_as_a_word() {
        assert_eq!(
            hidden(&["pass"], "pass 'pass' passenger by_pass"),
            "[REDACTED] '[REDACTED]' passenger by_pass"
        );
        assert_eq!(hidden(&["1", "on"], "1 is on"), "1 is on");
    }

    #[test]
    fn a_secret_of_several_lines_is_hidden_line_by_line() {
        let key = "-----BEGIN KEY-----\n  c2VjcmV0IG1hdGVyaWFs\n-----END KEY-----\n";
        let secrets = secrets(&[key]);
        for line in key.lines() {
            let display_line = secrets.redact_output(line.as_bytes());
            assert_eq!(display_line.as_ref().trim(), REDACTION);
        }
        assert_eq!(secrets.redact(&format!("a{key}b")).as_ref(), "a[REDACTED]b");
    }

    #[test]
    fn a_secret_is_hidden_as_shells_are_given_it() {
        let secret = "it's $ecret \"quoted\"";
        for form in [
            secret.to_owned(),
            quote::word(secret),
            quote::escape(secret),
            format!("\"{}\"", quote::in_double_quotes(secret)),
        ] {
            let display_line = hidden(&[secret], &format!("curl {form}"));
            assert!(
                !display_line.contains("ecret") && display_line.contains(REDACTION),
                "{display_line}"
            );
        }
    }

    #[test]
    fn secrets_in_the_text_of_a_command() {
        let table = [
            (
                "API_TOKEN=hunter22 rake a; echo hunter22",
                "API_TOKEN=[REDACTED] rake a; echo [REDACTED]",
            ),
            ("notify --password='hunter 22' x", "notify --password='[REDACTED]' x"),
            ("curl https://ci:hunter22@example.com/a", "curl https://ci:[REDACTED]@example.com/a"),
            (
                "API_TOKEN=$TOKEN RAILS_ENV=production rake",
                "API_TOKEN=$TOKEN RAILS_ENV=production rake",
            ),
        ];
        for (text, expected) in table {
            assert_eq!(Secrets::default().and_of_text(text).redact(text).as_ref(), expected);
        }
    }

    #[test]
    fn the_password_of_a_url_is_a_secret_by_itself() {
        let mut environment = Environment::new();
        environment.put("DATABASE_URL", Value::Text("postgres://app:hunter22@db/app".into()));
        let secrets = Secrets::of_environment(&environment);
        assert_eq!(
            secrets.redact("password hunter22 for app").as_ref(),
            "password [REDACTED] for app"
        );
    }

    #[test]
    fn output_is_printable_and_its_secrets_are_found_before() {
        let display_line = secrets(&["tab\there"]).redact_output(b"\x1b[1mtab\there");
        assert_eq!(display_line.as_ref(), "\\u{1b}[1m[REDACTED]");
    }

    #[test]
    fn no_cut_goes_through_a_secret() {
        let known = secrets(&["hunter22"]);
        let text = b"abc hunter22 def";
        for at in 0..=text.len() {
            let cut = known.cut(text, at);
            assert!(cut <= 4 || cut >= 12, "{at} -> {cut}");
        }
        assert_eq!(known.cut(b"hunter22 def", 3), 8);
    }

    #[test]
    fn told_by_name_or_url() {
        let table = [
            ("RAILS_MASTER_KEY", "x", true),
            ("github_token", "x", true),
            ("PGPASSWORD", "x", true),
            ("SECRET_KEY_BASE", "x", true),
            ("DATABASE_URL", "postgres://app:pw@db/app", true),
            ("DATABASE_URL", "postgres://app@db/app", false),
            ("CDN", "https://cdn.example/a:b@c", false),
            ("RAILS_ENV", "production", false),
        ];
        for (name, value, expected) in table {
            assert_eq!(is_secret(name, value), expected, "{name}={value}");
        }
    }
}
