//! Environment variables of a command, in the order in which they are written.

use std::fmt;

use super::CommandError;
use super::quote;
use super::secret_names;

/// The value of a variable.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    /// Exactly this text.
    Text(String),
    /// Text in which the host expands `$NAME` and `${NAME}`, as in `/opt/ruby/bin:$PATH`.
    /// Everything else is literal.
    Expanding(String),
    /// systemd's directory of sockets for the user who logged in: `/run/user/` and the user id.
    UserRuntimeDir,
}

/// Variables and their values. Setting a name again changes its value, but not its position, as in
/// SSHKit.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Environment(Vec<(String, Value)>);

impl Value {
    /// The value for use in double quotes.
    fn quoted(&self) -> String {
        match self {
            Value::Text(text) => quote::in_double_quotes(text),
            Value::Expanding(text) => quote::in_double_quotes_expanding(text),
            Value::UserRuntimeDir => "/run/user/$(id -u)".to_owned(),
        }
    }

    /// The text as given.
    pub(super) fn text(&self) -> &str {
        match self {
            Value::Text(text) | Value::Expanding(text) => text,
            Value::UserRuntimeDir => "",
        }
    }
}

impl Environment {
    /// No variables.
    pub fn new() -> Environment {
        Environment::default()
    }

    /// Sets a variable.
    pub fn set(&mut self, name: &str, value: Value) -> Result<(), CommandError> {
        if !quote::is_variable_name(name) {
            let before = name.split('=').next().unwrap_or_default();
            return Err(CommandError::VariableName(before.to_owned()));
        }
        self.put(name, value);
        Ok(())
    }

    /// Sets a variable whose name is known to be one.
    pub(super) fn put(&mut self, name: &str, value: Value) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some(known) => known.1 = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    /// Names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// These variables, then those of `over`, which win.
    pub(super) fn merged(&self, over: &Environment) -> Environment {
        let mut merged = self.clone();
        over.iter().for_each(|(name, value)| merged.put(name, value.clone()));
        merged
    }

    /// `A="x" B="y"`, with secrets blotted out if they are to be `hidden`.
    pub(super) fn assignments(&self, hidden: bool) -> String {
        let one = |(name, value): (&str, &Value)| match hidden
            && secret_names::is_secret(name, value.text())
        {
            true => format!("{name}=\"{}\"", secret_names::REDACTION),
            false => format!("{name}=\"{}\"", value.quoted()),
        };
        self.iter().map(one).collect::<Vec<_>>().join(" ")
    }
}

/// Secrets are redacted, so that no log shows them.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Environment({})", self.assignments(true))
    }
}

/// Without its name, a value may be a secret.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Value(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_overriding() {
        let mut first = Environment::new();
        first.put("B", Value::Text("1".into()));
        first.put("A", Value::Text("2".into()));
        let mut second = Environment::new();
        second.put("C", Value::Text("3".into()));
        second.put("B", Value::Text("4".into()));
        assert_eq!(first.merged(&second).assignments(false), r#"B="4" A="2" C="3""#);
    }

    #[test]
    fn names_are_checked() {
        let mut environment = Environment::new();
        for bad in ["", "1A", "A-B", "A B", "É"] {
            let refused = environment.set(bad, Value::Text("x".into())).unwrap_err();
            assert_eq!(
                refused.to_string(),
                format!("'{bad}' is not the name of an environment variable")
            );
        }
        let assigned = environment.set("API_KEY=hunter22", Value::Text("x".into())).unwrap_err();
        assert_eq!(assigned, CommandError::VariableName("API_KEY".into()));
        assert_eq!(environment.set("_a1", Value::Text("x".into())), Ok(()));
    }

    #[test]
    fn debug_output_has_no_secret() {
        let mut environment = Environment::new();
        environment.put("RAILS_MASTER_KEY", Value::Text("hunter22".into()));
        environment.put("RAILS_ENV", Value::Text("production".into()));
        let display_line = format!("{environment:?}");
        assert_eq!(
            display_line,
            r#"Environment(RAILS_MASTER_KEY="[REDACTED]" RAILS_ENV="production")"#
        );
    }
}
