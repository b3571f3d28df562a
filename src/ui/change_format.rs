//! The format of changed paths, as in rsync's `--out-format`.

use assetsync_core::plan::{Action, ActionKind};
use assetsync_core::text;

use super::itemize;

/// The format of `--itemize-changes`.
const ITEMIZED: &str = "%i %n%L";

/// A checked format: literal text and values of an action.
#[derive(Debug, Clone)]
pub struct ChangeFormat {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone)]
enum Piece {
    Text(String),
    /// `%i`: the eleven letters.
    Code,
    /// `%n`: the path; a directory's ends in a slash.
    Name,
    /// `%f`: the path.
    Path,
    /// `%L`: ` -> TARGET` of a symlink.
    Target,
    /// `%l`: the size in bytes.
    Size,
    /// `%o`: `send` or `del.`.
    Operation,
    /// `%h`: the destination.
    Host,
    /// `%p`: the process id.
    Process,
}

impl ChangeFormat {
    /// Checks a format.
    pub fn parse(format: &str) -> Result<ChangeFormat, String> {
        let (mut pieces, mut text, mut rest) = (Vec::new(), String::new(), format.chars());
        while let Some(char) = rest.next() {
            if char != '%' {
                text.push(char);
                continue;
            }
            let piece = match rest.next() {
                Some('%') => {
                    text.push('%');
                    continue;
                }
                Some('i') => Piece::Code,
                Some('n') => Piece::Name,
                Some('f') => Piece::Path,
                Some('L') => Piece::Target,
                Some('l') => Piece::Size,
                Some('o') => Piece::Operation,
                Some('h') => Piece::Host,
                Some('p') => Piece::Process,
                other => {
                    let other = other.map(String::from).unwrap_or_default();
                    return Err(format!(
                        "%{other} is not supported; there are %i %n %f %L %l %o %h %p %%"
                    ));
                }
            };
            pieces.push(Piece::Text(std::mem::take(&mut text)));
            pieces.push(piece);
        }
        pieces.push(Piece::Text(text));
        Ok(ChangeFormat { pieces })
    }

    /// The line of an action, without its newline.
    pub fn line(&self, action: &Action, destination: &str) -> String {
        self.pieces.iter().map(|piece| piece.text(action, destination)).collect()
    }
}

impl Default for ChangeFormat {
    fn default() -> ChangeFormat {
        ChangeFormat::parse(ITEMIZED).expect("the format is valid")
    }
}

impl Piece {
    fn text(&self, action: &Action, destination: &str) -> String {
        let path = &action.path;
        match self {
            Piece::Text(text) => text.clone(),
            Piece::Code => itemize::code(action).to_owned(),
            Piece::Name if matches!(action.what, ActionKind::Dir { .. }) => format!("{path}/"),
            Piece::Name | Piece::Path => path.to_string(),
            Piece::Target => match &action.what {
                ActionKind::Symlink { target, .. } => format!(" -> {}", text::name(target)),
                ActionKind::Respell { to } => format!(" -> {to}"),
                _ => String::new(),
            },
            Piece::Size => action.file().map_or(0, |file| file.size).to_string(),
            Piece::Operation => match action.what {
                ActionKind::Delete | ActionKind::Prune => "del.".to_owned(),
                _ => "send".to_owned(),
            },
            Piece::Host => destination.to_owned(),
            Piece::Process => std::process::id().to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use assetsync_core::entry::Mtime;
    use assetsync_core::path::RelPath;

    use super::*;

    #[test]
    fn values_of_an_action() {
        let target = b"to".to_vec();
        let path = RelPath::new(b"d/link").unwrap();
        let what = ActionKind::Symlink { target, mtime: Mtime::default() };
        let action = Action { path, known: None, what };
        let line =
            |format| ChangeFormat::parse(format).map(|format| format.line(&action, "web1:/x"));
        assert_eq!(line("%o %n%L %l 100%%").unwrap(), "send d/link -> to 0 100%");
        assert_eq!(line("[%h] %i %f").unwrap(), "[web1:/x] cL+++++++++ d/link");
        assert_eq!(line("").unwrap(), "");
        for bad in ["%", "%q", "%-10n"] {
            assert!(line(bad).unwrap_err().contains("not supported"), "{bad}");
        }
        assert_eq!(ChangeFormat::default().line(&action, ""), itemize::line(&action));
    }
}
