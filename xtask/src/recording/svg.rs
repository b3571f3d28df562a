//! Lines of a terminal as a picture, in which they appear one after the other.

use std::fmt::Write;

use super::COLUMNS;

/// Pixels of a line, of a character, and around the text.
const LINE: usize = 19;
const CHARACTER: f64 = 8.0;
const MARGIN: usize = 16;

/// Seconds from one command to the next one, and from a command to the first line of its output.
const BETWEEN_COMMANDS: f64 = 3.0;
const BEFORE_OUTPUT: f64 = 1.0;

/// Seconds from line to line.
const BETWEEN_LINES: f64 = 0.35;

const STYLE: &str = "\
text{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#d1d9e0;
white-space:pre;opacity:0;animation:a .1s forwards}
.c{fill:#7ee787}
@keyframes a{to{opacity:1}}
@media (prefers-reduced-motion:reduce){text{animation:none;opacity:1}}
";

/// The picture of a terminal with these lines; those that begin with `$` were typed.
pub fn svg(lines: &[String]) -> String {
    let width = (COLUMNS as f64 * CHARACTER) as usize + 2 * MARGIN;
    let height = lines.len() * LINE + 2 * MARGIN;
    let mut body = String::new();
    let mut at = 0.0;
    for (number, line) in lines.iter().enumerate() {
        let is_typed = line.starts_with("$ ");
        if is_typed && number > 0 {
            at += BETWEEN_COMMANDS;
        }
        let (class, y) = (if is_typed { "c" } else { "o" }, MARGIN + (number + 1) * LINE - 5);
        let text = line.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let _ = writeln!(
            body,
            "<text class=\"{class}\" x=\"{MARGIN}\" y=\"{y}\" style=\"animation-delay:{at:.2}s\">\
             {text}</text>"
        );
        at += if is_typed { BEFORE_OUTPUT } else { BETWEEN_LINES };
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"A terminal: a deploy to two \
         hosts, and a rollback\">\n<style>\n{STYLE}</style>\n\
         <rect width=\"{width}\" height=\"{height}\" rx=\"8\" fill=\"#151b23\"/>\n{body}</svg>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::super::words;
    use super::*;

    #[test]
    fn lines_appear_in_order_and_their_words_are_found_again() {
        let lines = ["$ assetsync deploy <x>", "stage    web1: 3 of 5 files, 2.0 kB"];
        let picture = svg(&lines.map(str::to_owned));
        assert!(picture.contains("animation-delay:0.00s") && picture.contains("delay:1.00s"));
        assert_eq!(
            words(&picture),
            ["$", "&lt;x&gt;", "assetsync", "deploy", "files,", "of", "stage"]
        );
    }
}
