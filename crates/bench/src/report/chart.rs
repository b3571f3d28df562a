//! Records as an SVG picture for a README: bars of seconds and bytes, readable on light and dark.

use std::fmt::Write;

use assetsync_units::precise::{bytes, seconds};

use super::stats::summary;
use crate::record::{Race, Record, ScenarioRuns};
use crate::scenario::Scenario;

/// The scenarios that a chart shows, as far as they were raced.
const SHOWN: [Scenario; 3] = [Scenario::First, Scenario::Unchanged, Scenario::Update];

/// The picture's width, in pixels at its own size.
const WIDTH: u32 = 860;
/// The left ends of the bars of seconds and of bytes.
const COLUMNS: [u32; 2] = [170, 520];
/// The longest bar.
const LONGEST: f64 = 240.0;
/// From one bar to the next.
const LINE: u32 = 20;
const MARGIN: u32 = 24;

/// Text in the system's own font; colours for both schemes, with enough contrast in each.
const STYLE: &str = "\
text{font:13px system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif;fill:#1f2328}
.h{font-size:16px;font-weight:600}.t{font-weight:600}.n{text-anchor:end}.q{fill:#59636e}
.v{font-size:12px}.us{font-weight:600}
.b{fill:#afb8c1}.o{fill:#1a7f37}.l{stroke:#d1d9e0}
@media (prefers-color-scheme:dark){
text{fill:#f0f6fc}.q{fill:#9198a1}.b{fill:#57606a}.o{fill:#2ea043}.l{stroke:#3d444d}
}
";

/// The picture of `records`. Where a record has links that are limited, only those are shown.
#[must_use]
pub fn chart(records: &[Record], ours: &str) -> String {
    let mut picture = Picture { body: String::new(), y: MARGIN, ours };
    for record in records {
        for race in shown_races(record) {
            picture.race(record, race);
        }
    }
    picture.finish()
}

fn shown_races(record: &Record) -> Vec<&Race> {
    let limited: Vec<&Race> = record.races.iter().filter(|race| race.link != "0").collect();
    if limited.is_empty() { record.races.iter().collect() } else { limited }
}

struct Picture<'a> {
    body: String,
    /// The position of the next line.
    y: u32,
    ours: &'a str,
}

/// One competitor's bars: microseconds and bytes.
struct Bars<'a> {
    name: &'a str,
    values: [u64; 2],
}

impl Picture<'_> {
    fn race(&mut self, record: &Record, race: &Race) {
        let (old, new) = (&record.old.name, &record.new.name);
        let heats: Vec<&ScenarioRuns> =
            race.heats.iter().filter(|heat| SHOWN.contains(&heat.scenario)).collect();
        if heats.is_empty() {
            return;
        }
        self.y += 8;
        self.text(MARGIN, "h", &clipped(&format!("{old} to {new}"), 70));
        self.y += 22;
        let link = link_in_words(&race.link);
        let size = assetsync_units::number(record.new.files);
        self.text(MARGIN, "q", &format!("{size} files, {}; {link}", bytes(record.new.bytes)));
        self.y += 12;
        for heat in heats {
            self.heat(heat);
        }
        self.y += 20;
    }

    fn heat(&mut self, heat: &ScenarioRuns) {
        self.y += 26;
        let titles = [
            (MARGIN, "t", heat.scenario.title()),
            (COLUMNS[0], "q", "seconds"),
            (COLUMNS[1], "q", "bytes"),
        ];
        for (x, class, text) in titles {
            self.text(x, class, text);
        }
        let rule = self.y + 7;
        let end = WIDTH - MARGIN;
        self.add(&format!("<path class=\"l\" d=\"M{MARGIN} {rule}H{end}\"/>"));
        self.y += 6;
        let bars: Vec<Bars<'_>> = heat.entries.iter().filter_map(bars).collect();
        let longest = [0, 1].map(|at| bars.iter().map(|bar| bar.values[at]).max().unwrap_or(1));
        for bar in &bars {
            self.bars(bar, longest);
        }
    }

    fn bars(&mut self, bars: &Bars<'_>, longest: [u64; 2]) {
        self.y += LINE;
        let ours = bars.name == self.ours;
        let (emphasis, colour) = if ours { (" us", "o") } else { ("", "b") };
        self.text(COLUMNS[0] - 10, &format!("n{emphasis}"), bars.name);
        let shown = [format!("{} s", seconds(bars.values[0])), bytes(bars.values[1])];
        for at in [0, 1] {
            let (x, top) = (COLUMNS[at], self.y - 12);
            let length = (LONGEST * bars.values[at] as f64 / longest[at].max(1) as f64).max(1.0);
            self.add(&format!(
                "<rect class=\"{colour}\" x=\"{x}\" y=\"{top}\" width=\"{length:.1}\" height=\"15\" rx=\"2\"/>"
            ));
            let after = x + length.ceil() as u32 + 6;
            self.text(after, &format!("v{emphasis}"), &shown[at]);
        }
    }

    fn text(&mut self, x: u32, class: &str, text: &str) {
        let (y, text) = (self.y, escaped(text));
        self.add(&format!("<text class=\"{class}\" x=\"{x}\" y=\"{y}\">{text}</text>"));
    }

    fn add(&mut self, element: &str) {
        self.body.push_str(element);
        self.body.push('\n');
    }

    fn finish(self) -> String {
        let (height, body) = (self.y + MARGIN / 2, self.body);
        let mut svg = String::new();
        let _ = write!(
            svg,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
             viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
             aria-label=\"Seconds and bytes of pushes by assetsync and by rsync; shorter is better\">\n\
             <style>\n{STYLE}</style>\n{body}</svg>\n"
        );
        svg
    }
}

/// The bars of a competitor that did right.
fn bars(entry: &crate::record::CompetitorRuns) -> Option<Bars<'_>> {
    let summary = summary(entry).ok()?;
    Some(Bars { name: &entry.competitor, values: [summary.wall.median, summary.bytes] })
}

fn link_in_words(link: &str) -> String {
    match link.split_once(',') {
        Some((round_trip, rate)) => format!("{round_trip} round trip, {rate}/s"),
        None if link == "0" => "loopback, not limited".to_owned(),
        None => link.to_owned(),
    }
}

fn clipped(text: &str, length: usize) -> String {
    if text.chars().count() <= length {
        return text.to_owned();
    }
    text.chars().take(length - 1).chain(['…']).collect()
}

fn escaped(text: &str) -> String {
    let clean = text.chars().filter(|c| !c.is_control()).collect::<String>();
    clean.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::table::tests::record;

    #[test]
    fn bars_and_labels_stay_inside() {
        let svg = chart(&[record()], "assetsync");
        let number = |element: &str, name: &str| -> f64 {
            let value = element.split(&format!("{name}=\"")).nth(1).unwrap();
            value.split('"').next().unwrap().parse().unwrap()
        };
        let rects: Vec<_> = svg.lines().filter(|line| line.starts_with("<rect")).collect();
        // Two scenarios, three that did right, two bars each; of one link, as the other is
        // unlimited.
        assert_eq!(rects.len(), 2 * 3 * 2);
        for rect in rects {
            let (x, width) = (number(rect, "x"), number(rect, "width"));
            assert!(
                (1.0..=LONGEST).contains(&width) && x + width + 80.0 <= f64::from(WIDTH),
                "{rect}"
            );
        }
        let height = number(&svg, "height");
        for text in svg.lines().filter(|line| line.starts_with("<text")) {
            assert!(number(text, "y") < height && number(text, "x") < f64::from(WIDTH));
        }
        assert!(svg.contains("prefers-color-scheme:dark"));
    }

    #[test]
    fn names_cannot_break_the_picture() {
        let mut record = record();
        record.old.name = "<&>\u{1}".repeat(40);
        let svg = chart(&[record], "assetsync");
        assert!(svg.contains("&lt;&amp;&gt;") && svg.contains('…') && !svg.contains('\u{1}'));
        let opened = svg.matches("<text").count();
        assert_eq!(opened, svg.matches("</text>").count());
    }
}
