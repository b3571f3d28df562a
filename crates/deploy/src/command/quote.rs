//! Text that a shell reads as exactly that text.

/// Escapes as Ruby's `Shellwords.escape` does: a backslash before every character that could mean
/// something. It is what SSHKit uses, so it decides how a line looks.
pub(super) fn escape(text: &str) -> String {
    if text.is_empty() {
        return "''".to_owned();
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '\n' => escaped.push_str("'\n'"),
            plain if is_plain(plain) => escaped.push(plain),
            other => escaped.extend(['\\', other]),
        }
    }
    escaped
}

/// As [`escape`], but `~` stays: SSHKit's way with a directory.
pub(super) fn escape_except_tilde(text: &str) -> String {
    escape(text).replace("\\~", "~")
}

/// A path in which `~`, `$NAME` and `${NAME}` keep their meaning, as in `$HOME/.rbenv`. Nothing
/// else does.
pub(crate) fn path(text: &str) -> String {
    let mut quoted = String::new();
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        let (before, from) = rest.split_at(dollar);
        let reference = reference(from);
        let taken = reference.unwrap_or(1);
        quoted.push_str(&escape_some(before));
        quoted.push_str(if reference.is_some() { &from[..taken] } else { "\\$" });
        rest = &from[taken..];
    }
    quoted.push_str(&escape_some(rest));
    if quoted.is_empty() { escape("") } else { quoted }
}

fn escape_some(text: &str) -> String {
    if text.is_empty() { String::new() } else { escape_except_tilde(text) }
}

/// One word, in single quotes where it needs any: easier to read than backslashes, and what
/// capistrano-rails writes around `'assets:clean[2]'`.
pub(super) fn word(text: &str) -> String {
    // zsh takes a word that begins with `=` for the path of a program.
    let bare = |c: char| is_plain(c) || c == '=';
    if !text.is_empty() && text.chars().all(bare) && !text.starts_with('=') {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// The inside of double quotes that give exactly `text`.
pub(super) fn in_double_quotes(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '"' | '\\' | '$' | '`') {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted
}

/// As [`in_double_quotes`], but `$NAME` and `${NAME}` keep their meaning.
pub(super) fn in_double_quotes_expanding(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        let (before, from) = rest.split_at(dollar);
        let reference = reference(from);
        let taken = reference.unwrap_or(1);
        quoted.push_str(&in_double_quotes(before));
        quoted.push_str(if reference.is_some() { &from[..taken] } else { "\\$" });
        rest = &from[taken..];
    }
    quoted + &in_double_quotes(rest)
}

/// Whether `name` can name a variable.
pub(super) fn is_variable_name(name: &str) -> bool {
    !name.is_empty() && name_bytes(name) == name.len()
}

/// The length in bytes of the `$NAME` or `${NAME}` that `text` begins with.
fn reference(text: &str) -> Option<usize> {
    let after = text.strip_prefix('$')?;
    if let Some(braced) = after.strip_prefix('{') {
        let name = name_bytes(braced);
        return (name > 0 && braced[name..].starts_with('}')).then_some(name + 3);
    }
    let name = name_bytes(after);
    (name > 0).then_some(name + 1)
}

/// How many bytes at the front of `text` are a variable's name.
fn name_bytes(text: &str) -> usize {
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return 0;
    }
    text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len())
}

/// The characters that Ruby's `Shellwords.escape` leaves as they are.
fn is_plain(character: char) -> bool {
    character.is_ascii_alphanumeric() || "_-.,:+/@".contains(character)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escape_is_rubys() {
        let table = [
            ("", "''"),
            ("/srv/app-1.2_x:y,+@", "/srv/app-1.2_x:y,+@"),
            ("a\nb'é", "a'\n'b\\'\\é"),
            ("a=b%c^{}~", "a\\=b\\%c\\^\\{\\}\\~"),
            ("$HOME/a b", "\\$HOME/a\\ b"),
        ];
        for (text, expected) in table {
            assert_eq!(escape(text), expected);
        }
        assert_eq!(escape_except_tilde("~/a b~"), "~/a\\ b~");
    }

    #[test]
    fn paths_keep_home() {
        let table = [
            ("$HOME/.rbenv", "$HOME/.rbenv"),
            ("~/.rvm", "~/.rvm"),
            ("${HOME}/my ruby", "${HOME}/my\\ ruby"),
            ("/a$(id)/`id`;$", "/a\\$\\(id\\)/\\`id\\`\\;\\$"),
            ("${a:-$(id)}", "\\$\\{a:-\\$\\(id\\)\\}"),
            ("", "''"),
        ];
        for (text, expected) in table {
            assert_eq!(path(text), expected);
        }
    }

    #[test]
    fn words() {
        let table = [
            ("assets:precompile", "assets:precompile"),
            ("--to=x", "--to=x"),
            ("=ls", "'=ls'"),
            ("assets:clean[2]", "'assets:clean[2]'"),
            ("it's", "'it'\\''s'"),
            ("", "''"),
        ];
        for (text, expected) in table {
            assert_eq!(word(text), expected);
        }
    }

    #[test]
    fn double_quotes() {
        let text = r#"/opt/bin:$PATH $(id) `id` "q" \ ${A} ${A:-b} $1"#;
        let expanding = r#"/opt/bin:$PATH \$(id) \`id\` \"q\" \\ ${A} \${A:-b} \$1"#;
        assert_eq!(in_double_quotes_expanding(text), expanding);
        assert_eq!(in_double_quotes("$PATH"), "\\$PATH");
    }

    /// The result of a real shell for `quoted`.
    fn read_by_sh(quoted: &str) -> String {
        let script = format!("printf %s {quoted}");
        let output = std::process::Command::new("sh").arg("-c").arg(script).output();
        String::from_utf8(output.expect("sh runs").stdout).expect("the text came as UTF-8")
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_real_shell_reads_the_same_text(text in "([ -~\n\t]|[à-ï]|[$`\"'\\\\]){0,24}") {
            prop_assert_eq!(&read_by_sh(&escape(&text)), &text);
            prop_assert_eq!(&read_by_sh(&word(&text)), &text);
            prop_assert_eq!(&read_by_sh(&format!("\"{}\"", in_double_quotes(&text))), &text);
        }

        #[test]
        fn nothing_but_variables_expands(text in "([$(){}`\"'\\\\;&|<> ]|HOME|[a-c]){0,16}") {
            let home = std::env::var("HOME").unwrap_or_default();
            let expected = expand_home(&text, &home);
            let quoted = format!("\"{}\"", in_double_quotes_expanding(&text));
            prop_assert_eq!(&read_by_sh(&quoted), &expected);
            prop_assert_eq!(&read_by_sh(&path(&text)), &expected);
        }
    }

    /// An oracle: `$NAME` and `${NAME}` replaced, where all names but HOME are unset.
    fn expand_home(text: &str, home: &str) -> String {
        let mut expanded = String::new();
        let mut rest = text;
        while let Some(start) = rest.find('$') {
            expanded.push_str(&rest[..start]);
            let length = reference(&rest[start..]).unwrap_or(0);
            match rest[start..start + length].trim_matches(['$', '{', '}']) {
                "HOME" => expanded.push_str(home),
                _ if length == 0 => expanded.push('$'),
                _ => {}
            }
            rest = &rest[start + length.max(1)..];
        }
        expanded + rest
    }
}
