//! A variable's value, whoever has found it out.

/// The longest text and the longest list that come of an expression.
pub(super) const MAX_SIZE: usize = 10_000;

/// A value of Ruby's, as far as it matters here.
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
    /// Something is set, but it is not known what.
    Unknown,
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

    /// How many values it consists of.
    pub(crate) fn size(&self) -> usize {
        match self {
            Value::List(items) => 1 + items.iter().map(Value::size).sum::<usize>(),
            Value::Hash(pairs) => 1 + pairs.iter().map(|(_, value)| value.size()).sum::<usize>(),
            _ => 1,
        }
    }
}

/// Two texts or two lists as one; what is no list is a list of one.
pub(super) fn joined(one: Value, other: Value) -> Option<Value> {
    let value = match (one, other) {
        (Value::Text(one), Value::Text(other)) => Value::Text(one + &other),
        (one @ (Value::List(_) | Value::Nil), other) => {
            let mut all = one.into_texts()?;
            all.extend(other.into_texts()?);
            Value::List(all.into_iter().map(Value::Text).collect())
        }
        _ => return None,
    };
    let size = match &value {
        Value::Text(text) => text.len(),
        Value::List(items) => items.len(),
        _ => 0,
    };
    (size <= MAX_SIZE).then_some(value)
}

/// Parts of a path as one.
pub(super) fn path(parts: Vec<Value>) -> Option<Value> {
    let parts: Option<Vec<String>> = parts.into_iter().map(Value::into_text).collect();
    let parts = parts?;
    let joined: Vec<&str> = parts.iter().map(|part| part.trim_end_matches('/')).collect();
    Some(Value::Text(joined.join("/")))
}
