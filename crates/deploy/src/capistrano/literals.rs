//! Evaluates written values, given earlier settings.

use std::cell::Cell;
use std::collections::BTreeMap;

use super::expr::{Expr, Part};
use crate::command::Rbenv;

/// The longest text that is made, in bytes, and the most values in one.
const MAX_SIZE: usize = 1 << 14;

/// The limit of steps to evaluate one value: lambdas may fetch each other in a loop.
const MAX_STEPS: usize = 1 << 17;

/// How deep lambdas may fetch each other.
const MAX_DEPTH: usize = 40;

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// A string or a symbol.
    Text(String),
    /// A whole number.
    Number(i64),
    /// Yes or no.
    Flag(bool),
    /// Nothing.
    Nil,
    /// Values in order.
    List(Vec<Value>),
    /// Values by name.
    Hash(Vec<(String, Value)>),
    /// It can't be known without running the recipe.
    Unknown,
}

/// The value of a variable.
#[derive(Debug, Clone)]
pub(super) enum Stored {
    /// A value.
    Value(Value),
    /// Written in a lambda, and so evaluated each time.
    Lazy(Expr),
}

/// The variables to evaluate values with.
pub(super) struct Scope<'a> {
    pub variables: &'a BTreeMap<String, Stored>,
    pub ruby_version: Option<&'a str>,
}

impl Scope<'_> {
    /// Evaluates a written value.
    pub(super) fn value(&self, expr: &Expr) -> Value {
        Evaluation { scope: self, steps: Cell::new(0) }.value(expr, 0)
    }

    /// The value of a variable.
    pub(super) fn fetch(&self, name: &str) -> Option<Value> {
        Some(match self.variables.get(name)? {
            Stored::Value(value) => value.clone(),
            Stored::Lazy(expr) => self.value(expr),
        })
    }
}

struct Evaluation<'a> {
    scope: &'a Scope<'a>,
    steps: Cell<usize>,
}

impl Evaluation<'_> {
    /// Counts `size` more values; whether that is still allowed.
    fn spend(&self, size: usize) -> bool {
        self.steps.set(self.steps.get().saturating_add(size));
        self.steps.get() <= MAX_STEPS
    }

    fn value(&self, expr: &Expr, depth: usize) -> Value {
        if depth > MAX_DEPTH || !self.spend(1) {
            return Value::Unknown;
        }
        let value = self.made(expr, depth + 1);
        let size = size(&value, 0);
        if size > MAX_SIZE || !self.spend(size) { Value::Unknown } else { value }
    }

    fn made(&self, expr: &Expr, depth: usize) -> Value {
        match expr {
            Expr::Text(parts) => self.text(parts, depth),
            Expr::Number(number) => Value::Number(*number),
            Expr::Flag(flag) => Value::Flag(*flag),
            Expr::Nil => Value::Nil,
            Expr::List(items) => Value::List(self.values(items, depth)),
            Expr::Hash(pairs) => {
                let pair =
                    |(name, value): &(String, Expr)| (name.clone(), self.value(value, depth));
                Value::Hash(pairs.iter().map(pair).collect())
            }
            Expr::Lambda(inner) => self.value(inner, depth),
            Expr::Sum(one, other) => sum(self.value(one, depth), self.value(other, depth)),
            Expr::Call(name, args) => self.call(name, args, depth),
            Expr::Method(object, method, args) => self.method(object, method, args, depth),
            Expr::Splat(_) | Expr::Unknown => Value::Unknown,
        }
    }

    /// Values in order, with the items of splats among them.
    fn values(&self, items: &[Expr], depth: usize) -> Vec<Value> {
        let mut values = Vec::new();
        for item in items {
            match item {
                Expr::Splat(list) => match self.value(list, depth) {
                    Value::List(items) => values.extend(items),
                    other => values.push(other),
                },
                other => values.push(self.value(other, depth)),
            }
        }
        values
    }

    fn text(&self, parts: &[Part], depth: usize) -> Value {
        let mut text = String::new();
        for part in parts {
            match part {
                Part::Plain(plain) => text.push_str(plain),
                Part::Value(expr) => match self.value(expr, depth).into_text() {
                    Some(value) if text.len() + value.len() <= MAX_SIZE => text.push_str(&value),
                    _ => return Value::Unknown,
                },
            }
        }
        Value::Text(text)
    }

    fn call(&self, name: &str, args: &[Expr], depth: usize) -> Value {
        match (name, self.values(args, depth).as_slice()) {
            ("fetch", [Value::Text(key), default @ ..]) => {
                self.fetch(key, depth).or(default.first().cloned()).unwrap_or(Value::Nil)
            }
            ("Array", [Value::List(items)]) => Value::List(items.clone()),
            ("Array", [Value::Nil]) => Value::List(Vec::new()),
            ("Array", [one]) => Value::List(vec![one.clone()]),
            ("deploy_to" | "deploy_path", []) => {
                self.fetch("deploy_to", depth).unwrap_or(Value::Unknown)
            }
            ("shared_path", []) => self.below_deploy_to("shared", depth),
            ("current_path" | "release_path", []) => self.below_deploy_to("current", depth),
            _ => Value::Unknown,
        }
    }

    fn fetch(&self, key: &str, depth: usize) -> Option<Value> {
        match self.scope.variables.get(key) {
            Some(Stored::Value(value)) => Some(value.clone()),
            Some(Stored::Lazy(expr)) => Some(self.value(expr, depth)),
            None if key == "rbenv_path" => Some(self.rbenv_path(depth)),
            None => None,
        }
    }

    /// The one variable with a default that recipes read and seldom set.
    fn rbenv_path(&self, depth: usize) -> Value {
        let path = match (self.fetch("rbenv_custom_path", depth), self.fetch("rbenv_type", depth)) {
            (Some(path @ Value::Text(_)), _) => return path,
            (_, Some(Value::Text(kind))) if kind == "system" => Rbenv::SYSTEM_PATH,
            (_, Some(Value::Text(kind))) if kind == "fullstaq" => Rbenv::FULLSTAQ_PATH,
            _ => Rbenv::USER_PATH,
        };
        Value::Text(path.to_owned())
    }

    fn below_deploy_to(&self, name: &str, depth: usize) -> Value {
        match self.fetch("deploy_to", depth) {
            Some(Value::Text(path)) => {
                Value::Text(format!("{}/{name}", path.trim_end_matches('/')))
            }
            _ => Value::Unknown,
        }
    }

    fn method(&self, object: &Expr, method: &str, args: &[Expr], depth: usize) -> Value {
        let args = self.values(args, depth);
        if let Expr::Call(name, none) = object
            && none.is_empty()
            && let Some(value) = self.class_method(name, method, &args)
        {
            return value;
        }
        let object = self.value(object, depth);
        match (method, object) {
            ("freeze" | "dup" | "uniq" | "to_a" | "flatten" | "compact", object) => object,
            ("to_s" | "to_sym" | "to_str", object) => {
                object.into_text().map_or(Value::Unknown, Value::Text)
            }
            ("strip" | "chomp", Value::Text(text)) => Value::Text(text.trim().to_owned()),
            ("join", Value::Text(path)) => joined([Value::Text(path)].into_iter().chain(args)),
            ("push" | "append", Value::List(items)) => {
                Value::List(items.into_iter().chain(args).collect())
            }
            ("concat" | "union", Value::List(items)) => {
                args.into_iter().fold(Value::List(items), sum)
            }
            _ => Value::Unknown,
        }
    }

    fn class_method(&self, class: &str, method: &str, args: &[Value]) -> Option<Value> {
        match (class, method, args) {
            ("File", "join", parts) => Some(joined(parts.iter().cloned())),
            ("File" | "IO", "read", [Value::Text(name)]) if is_ruby_version(name) => {
                let version = self.scope.ruby_version.map(|text| Value::Text(text.to_owned()));
                Some(version.unwrap_or(Value::Unknown))
            }
            _ => None,
        }
    }
}

/// Whether a file's name is that of the file which names the Ruby.
fn is_ruby_version(name: &str) -> bool {
    name.rsplit('/').next() == Some(".ruby-version")
}

fn joined(parts: impl Iterator<Item = Value>) -> Value {
    let parts: Option<Vec<String>> = parts.map(Value::into_text).collect();
    match parts {
        Some(parts) => {
            let mut path = String::new();
            for part in parts {
                if !path.is_empty() {
                    path = format!("{}/", path.trim_end_matches('/'));
                }
                path.push_str(if path.is_empty() { &part } else { part.trim_start_matches('/') });
            }
            Value::Text(path)
        }
        None => Value::Unknown,
    }
}

fn sum(one: Value, other: Value) -> Value {
    match (one, other) {
        (Value::Text(one), Value::Text(other)) => Value::Text(one + &other),
        (Value::List(mut one), Value::List(other)) => {
            one.extend(other);
            Value::List(one)
        }
        _ => Value::Unknown,
    }
}

/// How much there is in a value: bytes of text, and one for every value. Too deep is too much.
fn size(value: &Value, depth: usize) -> usize {
    let inner = |value| size(value, depth + 1);
    match value {
        _ if depth > MAX_DEPTH => MAX_SIZE + 1,
        Value::Text(text) => 1 + text.len(),
        Value::List(items) => 1 + items.iter().map(inner).sum::<usize>(),
        Value::Hash(pairs) => {
            1 + pairs.iter().map(|(name, value)| name.len() + inner(value)).sum::<usize>()
        }
        Value::Number(_) | Value::Flag(_) | Value::Nil | Value::Unknown => 1,
    }
}

impl Value {
    /// The value as part of a string.
    pub(crate) fn into_text(self) -> Option<String> {
        match self {
            Value::Text(text) => Some(text),
            Value::Number(number) => Some(number.to_string()),
            Value::Flag(flag) => Some(flag.to_string()),
            Value::Nil => Some(String::new()),
            Value::List(_) | Value::Hash(_) | Value::Unknown => None,
        }
    }

    /// The texts of a list; one text is a list of one. None if any part is not known.
    pub(crate) fn into_texts(self) -> Option<Vec<String>> {
        match self {
            Value::List(items) => {
                items.into_iter().map(Value::into_texts).try_fold(Vec::new(), |mut all, texts| {
                    all.extend(texts?);
                    Some(all)
                })
            }
            Value::Text(text) => Some(vec![text]),
            Value::Nil => Some(Vec::new()),
            _ => None,
        }
    }

    /// Whether any part can't be known.
    pub(crate) fn is_unknown(&self) -> bool {
        match self {
            Value::Unknown => true,
            Value::List(items) => items.iter().any(Value::is_unknown),
            Value::Hash(pairs) => pairs.iter().any(|(_, value)| value.is_unknown()),
            _ => false,
        }
    }
}
