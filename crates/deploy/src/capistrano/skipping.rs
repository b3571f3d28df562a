//! What can't be read is passed over.

/// The rest at the comma or bracket that ends what begins here.
pub(super) fn skipped(rest: &str) -> Option<&str> {
    let (mut depth, mut quote) = (0_usize, None);
    for (at, c) in rest.char_indices() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'' | '`') => quote = Some(c),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}' | ',' | '\n') if depth == 0 => return Some(&rest[at..]),
            (None, ')' | ']' | '}') => depth -= 1,
            _ => {}
        }
    }
    None
}
