//! Which values must never be shown, and how they are blotted out.

use std::fmt;

use super::compose;
use super::environment::{Environment, Value};
use super::invocation::{Invocation, Program, Word};
use super::map::CommandMap;

/// What stands where a secret was.
pub(super) const BLOT: &str = "[REDACTED]";

/// Parts of names, in upper case, that tell a secret.
const TELLING: &[&str] =
    &["KEY", "TOKEN", "PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "CREDENTIAL"];

/// A shorter text is not looked for in other text: it would blot out half of it.
const SHORTEST: usize = 6;

/// Whether a variable's value is a secret: by its name, or because it is a URL with a password in it.
pub(super) fn is_secret(name: &str, value: &Value) -> bool {
    names_secret(name) || holds_password(value.text())
}

/// Whether a name tells a secret; case makes no difference.
pub(crate) fn names_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    TELLING.iter().any(|part| name.contains(part))
}

/// Whether a text gives itself away: a URL with a password in it.
pub(crate) fn holds_password(text: &str) -> bool {
    let Some((_, rest)) = text.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'))
}

/// The secrets of a command, to keep them out of whatever is shown of it: its line, and its output.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets(Vec<String>);

impl Secrets {
    /// The secrets that `invocation` is given, and those of `map`.
    pub fn of(map: &CommandMap, invocation: &Invocation) -> Secrets {
        let Secrets(mut texts) = Secrets::of_environment(&compose::environment(map, invocation));
        if let Program::Named { args, .. } = &invocation.program {
            texts.extend(args.iter().filter_map(Word::secret).map(str::to_owned));
        }
        Secrets::sorted(texts)
    }

    /// The secrets among variables.
    pub fn of_environment(environment: &Environment) -> Secrets {
        Secrets::sorted(secret_values(environment))
    }

    fn sorted(mut texts: Vec<String>) -> Secrets {
        texts.retain(|text| text.len() >= SHORTEST);
        // The longer first: one secret may be part of another.
        texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
        Secrets(texts)
    }

    /// `text` with every secret blotted out.
    pub fn hide(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret, BLOT))
    }
}

fn secret_values(environment: &Environment) -> Vec<String> {
    let secret = environment.iter().filter(|(name, value)| is_secret(name, value));
    secret.map(|(_, value)| value.text().to_owned()).collect()
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({} of them)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_within_another() {
        let mut environment = Environment::new();
        environment.put("A_KEY", Value::Text("hunter22".into()));
        environment.put("B_KEY", Value::Text("hunter22-and-more".into()));
        let secrets = Secrets::of(&CommandMap::new(environment), &Invocation::program("ls"));
        assert_eq!(secrets.hide("hunter22-and-more, hunter22"), "[REDACTED], [REDACTED]");
        assert_eq!(format!("{secrets:?}"), "Secrets(2 of them)");
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
            assert_eq!(is_secret(name, &Value::Text(value.into())), expected, "{name}={value}");
        }
    }
}
