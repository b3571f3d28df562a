//! Values: what they are once they are checked, and the checks.

use std::time::Duration;

use super::escape::quoted;
use super::problem::{Expected, Problem, refused};
use super::schema::Kind;

/// A checked value; for a list, one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SettingValue {
    /// Text, never with a NUL.
    Text(String),
    /// A whole number.
    Count(u64),
    /// Yes or no.
    Flag(bool),
    /// A length of time, and how it was written.
    Age(Duration, String),
    /// A command and where it runs.
    Hook(Hook),
}

/// A command and where it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// The line for a shell.
    pub run: String,
    /// On hosts with one of these roles; if there are none, on the machine that deploys.
    pub roles: Vec<String>,
    /// How long it may take, if not as long as any command.
    pub timeout: Option<Duration>,
}

/// A raw value, before it is checked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Scalar<'a> {
    /// Text.
    Text(&'a str),
    /// A whole number.
    Integer(i128),
    /// Yes or no.
    Flag(bool),
    /// Something that no setting takes, in words.
    Other(&'static str),
}

impl Scalar<'_> {
    /// The name of its type.
    pub fn kind(&self) -> &'static str {
        match self {
            Scalar::Text(_) => "text",
            Scalar::Integer(_) => "a number",
            Scalar::Flag(_) => "true or false",
            Scalar::Other(kind) => kind,
        }
    }
}

impl Kind {
    /// Checks a value of the setting `key`.
    pub fn check(self, key: &str, given: Scalar<'_>) -> Result<SettingValue, Problem> {
        match (self, given) {
            (Kind::Count(least, most), Scalar::Integer(number)) => count(key, number, least, most),
            (Kind::Flag, Scalar::Flag(flag)) => Ok(SettingValue::Flag(flag)),
            (Kind::Variable, Scalar::Integer(number)) => Ok(SettingValue::Text(number.to_string())),
            (Kind::Variable, Scalar::Flag(flag)) => Ok(SettingValue::Text(flag.to_string())),
            (Kind::Count(..) | Kind::Flag, _) => Err(self.mismatch(key, given.kind())),
            (_, Scalar::Text(text)) => self.check_text(key, text),
            _ => Err(self.mismatch(key, given.kind())),
        }
    }

    /// Checks the text of a variable or an argument.
    pub fn check_word(self, key: &str, text: &str) -> Result<SettingValue, Problem> {
        let scalar = match self {
            Kind::Count(..) => text.trim().parse().map_or(Scalar::Text(text), Scalar::Integer),
            Kind::Flag => text.trim().parse().map_or(Scalar::Text(text), Scalar::Flag),
            _ => Scalar::Text(text),
        };
        self.check(key, scalar)
    }

    /// The problem of a value that is of another type.
    pub fn mismatch(self, key: &str, found: &'static str) -> Problem {
        Problem::WrongType { key: key.to_owned(), expected: self.expected(), found }
    }

    fn expected(self) -> Expected {
        let (what, example) = match self {
            Kind::Count(..) => ("a whole number", "it without quotes, as 5"),
            Kind::Flag => ("true or false", "true or false, without quotes"),
            Kind::Age => ("an age", "a number and a unit in quotes, as \"7d\" or \"36h\""),
            Kind::Hook => ("a command", "it in quotes, or { run = \"...\", roles = [\"app\"] }"),
            _ => ("text", "it in quotes"),
        };
        Expected { what, example }
    }

    fn check_text(self, key: &str, text: &str) -> Result<SettingValue, Problem> {
        if text.contains('\0') {
            return Err(refused(key, "has a NUL character", "take it out"));
        }
        if self != Kind::Variable && text.trim().is_empty() {
            return Err(Problem::Empty(key.to_owned()));
        }
        match self {
            Kind::Age => return age(key, text),
            Kind::Choice(choices) => choice(key, text, choices)?,
            Kind::Word => word(key, text)?,
            Kind::User => user(key, text)?,
            Kind::ServerDir => super::path::server_dir(key, text)?,
            Kind::SourceDir => super::path::source_dir(key, text)?,
            Kind::Below => super::path::below(key, text)?,
            Kind::Url => url(key, text)?,
            Kind::Text | Kind::LocalPath => one_line(key, text)?,
            Kind::Hook => {
                return Ok(SettingValue::Hook(Hook {
                    run: text.to_owned(),
                    roles: Vec::new(),
                    timeout: None,
                }));
            }
            Kind::Command | Kind::Variable | Kind::Count(..) | Kind::Flag => {}
        }
        Ok(SettingValue::Text(text.to_owned()))
    }
}

fn count(key: &str, number: i128, least: u64, most: u64) -> Result<SettingValue, Problem> {
    match u64::try_from(number) {
        Ok(count) if (least..=most).contains(&count) => Ok(SettingValue::Count(count)),
        _ => Err(Problem::Refused {
            key: key.to_owned(),
            why: format!("is {number}; it goes from {least} to {most}"),
            hint: if number < 0 { "write it without the minus" } else { "write another number" },
        }),
    }
}

/// The longest age that makes sense: clocks and file systems know no later time.
const MAX_AGE: Duration = Duration::from_secs(100 * 366 * 24 * 3600);

pub(crate) fn age(key: &str, text: &str) -> Result<SettingValue, Problem> {
    const HINT: &str = "write a number and s, m, h, d or w, as in \"7d\", \"36h\" or \"1h 30m\"";
    match humantime::parse_duration(text.trim()) {
        Ok(age) if age > MAX_AGE => Err(refused(key, "is more than a hundred years", HINT)),
        Ok(age) => Ok(SettingValue::Age(age, text.trim().to_owned())),
        Err(_) => {
            let why = format!("can't be read as an age: '{}'", assetsync_core::text::name(text));
            Err(refused(key, &why, HINT))
        }
    }
}

fn choice(key: &str, text: &str, choices: &[&str]) -> Result<(), Problem> {
    if choices.contains(&text) {
        return Ok(());
    }
    Err(Problem::NotOneOf {
        key: key.to_owned(),
        found: text.to_owned(),
        choices: choices.iter().map(|&choice| choice.to_owned()).collect(),
    })
}

/// A name that ends up as one word of a command line.
pub(crate) fn word(key: &str, text: &str) -> Result<(), Problem> {
    if text.starts_with('-') {
        return Err(refused(key, "begins with '-'", "programs would take it for an option"));
    }
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(refused(key, "has a space in it", "it must be one word"));
    }
    Ok(())
}

/// A user of a host.
fn user(key: &str, text: &str) -> Result<(), Problem> {
    let checked = text.parse::<assetsync_ssh::RunAs>();
    checked
        .map(drop)
        .map_err(|_| refused(key, "is not a user name", "write the name of a user of the host"))
}

fn url(key: &str, text: &str) -> Result<(), Problem> {
    let checked = text.parse::<assetsync_verify::Site>();
    let hint = "write a URL without user and query, as \"https://shop.example.com\"";
    checked.map(drop).map_err(|problem| refused(key, &problem.to_string(), hint))
}

fn one_line(key: &str, text: &str) -> Result<(), Problem> {
    match text.chars().any(char::is_control) {
        true => Err(refused(key, "has a control character", "write it as one plain line")),
        false => Ok(()),
    }
}

impl SettingValue {
    /// The value as text; a hook is what it runs.
    pub(crate) fn plain(&self) -> String {
        match self {
            SettingValue::Text(text) | SettingValue::Age(_, text) => text.clone(),
            SettingValue::Count(count) => count.to_string(),
            SettingValue::Flag(flag) => flag.to_string(),
            SettingValue::Hook(hook) => hook.run.clone(),
        }
    }

    /// The value in TOML.
    pub(crate) fn to_toml(&self) -> String {
        match self {
            SettingValue::Text(text) | SettingValue::Age(_, text) => quoted(text),
            SettingValue::Count(count) => count.to_string(),
            SettingValue::Flag(flag) => flag.to_string(),
            SettingValue::Hook(hook) => hook.to_toml(),
        }
    }
}

impl Hook {
    fn to_toml(&self) -> String {
        if self.roles.is_empty() && self.timeout.is_none() {
            return quoted(&self.run);
        }
        let mut parts = vec![format!("run = {}", quoted(&self.run))];
        if !self.roles.is_empty() {
            let roles: Vec<String> = self.roles.iter().map(|role| quoted(role)).collect();
            parts.push(format!("roles = [{}]", roles.join(", ")));
        }
        if let Some(timeout) = self.timeout {
            parts.push(format!("timeout = \"{}\"", humantime::format_duration(timeout)));
        }
        format!("{{ {} }}", parts.join(", "))
    }
}
