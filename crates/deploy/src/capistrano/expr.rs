//! Values as written, before `fetch` is evaluated.

/// A value as it is written.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expr {
    /// A string or a symbol; what is not plain is put in.
    Text(Vec<Part>),
    /// A whole number.
    Number(i64),
    /// `true` or `false`.
    Flag(bool),
    /// `nil`.
    Nil,
    /// `[a, b]`.
    List(Vec<Expr>),
    /// `{ a: 1 }`; a key that is no name is left out.
    Hash(Vec<(String, Expr)>),
    /// `*a`, in a list or among arguments.
    Splat(Box<Expr>),
    /// A name or a constant, or a call without an object: `shared_path`, `fetch(:a)`.
    Call(String, Vec<Expr>),
    /// A call of an object's method.
    Method(Box<Expr>, String, Vec<Expr>),
    /// `a + b`.
    Sum(Box<Expr>, Box<Expr>),
    /// `-> { a }`: worked out when it is fetched.
    Lambda(Box<Expr>),
    /// Anything else.
    Unknown,
}

/// A part of a string.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Part {
    /// Text as it is.
    Plain(String),
    /// A value put in.
    Value(Expr),
}

impl Expr {
    /// A plain string.
    pub(super) fn plain(text: impl Into<String>) -> Expr {
        Expr::Text(vec![Part::Plain(text.into())])
    }
}
