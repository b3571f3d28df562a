//! Settings as TOML that can be pasted into a file, and as JSON.

use assetsync_deploy::{
    ConfigTemplate, Diagnostic, ExplainedItem, ExplainedSetting, FILE_NAME, Location, Problems,
    SettingValue, Settings,
};
use serde::Serialize;
use serde_json::{Value, json};

/// The column of origins, unless the value is too long.
const ORIGIN_COLUMN: usize = 44;

/// The width of a line.
const COLUMNS: usize = 80;

/// All settings, one line each; with `origin`, where each comes from.
pub fn toml(
    file: &str,
    stage: Option<&str>,
    stages: &[&str],
    settings: &Settings,
    origin: bool,
) -> String {
    let mut text = match stage {
        Some(stage) => format!("# {file}, stage {stage}\n"),
        None => {
            format!("# {file}, settings common to the stages {}\n", stages.join(", "))
        }
    };
    for explained in settings.explain() {
        text.push_str(&lines(&explained, origin));
    }
    text
}

/// The lines of one setting. A list that is too long, or whose items come from different lines,
/// gets one line per item.
fn lines(explained: &ExplainedSetting, origin: bool) -> String {
    let whole = format!("{} = {}", explained.key, explained);
    let first = explained.parts.first().map_or(&explained.origin, |part| &part.origin);
    let one = line(&whole, origin.then_some(first));
    let is_short = one.lines().count() == 1 && whole.chars().count() <= COLUMNS;
    let is_of_one_line = explained.parts.iter().all(|part| is_same_line(&part.origin, first));
    if !explained.is_list || is_short && (is_of_one_line || !origin) {
        return one;
    }
    let mut text = format!("{} = [\n", explained.key);
    for part in &explained.parts {
        text.push_str(&line(&format!("  {},", part), origin.then_some(&part.origin)));
    }
    text + "]\n"
}

/// Whether two values come from one line.
fn is_same_line(one: &Location, other: &Location) -> bool {
    match (one, other) {
        (
            Location::File { name, line, .. },
            Location::File { name: other_name, line: other_line, .. },
        ) => (name, line) == (other_name, other_line),
        (one, other) => one == other,
    }
}

/// A line with its origin behind it, or below it if the line would be too long.
fn line(text: &str, origin: Option<&Location>) -> String {
    let Some(origin) = origin else { return format!("{text}\n") };
    let line = format!("{text:<ORIGIN_COLUMN$}  # {origin}");
    if line.chars().count() <= COLUMNS { line + "\n" } else { format!("{text}\n  # {origin}\n") }
}

/// The result of `assetsync init`, and what remains to be done.
pub fn written_summary(starter: &ConfigTemplate, left: Option<&Problems>) -> String {
    let made = match starter.sources.as_slice() {
        [] => format!("Wrote {FILE_NAME}; fill in application, deploy_to and hosts\n"),
        sources => format!("Wrote {FILE_NAME} from {}\n", sources.join(", ")),
    };
    let not_understood = match starter.notes.len() {
        0 => String::new(),
        1 => "  1 statement could not be read; it is listed at the end of the file\n".to_owned(),
        count => {
            format!(
                "  {count} statements could not be read; they are listed at the end of the file\n"
            )
        }
    };
    let left =
        left.map(|left| format!("\nTo fix before a deploy:\n\n{left}\n\n")).unwrap_or_default();
    format!(
        "{made}{not_understood}{left}  assetsync config --origin shows the resulting settings\n"
    )
}

/// The object of `--json`, a contract with scripts: fields are added, never renamed or removed.
#[derive(Serialize)]
struct SettingsObject<'a> {
    /// Whether the settings are valid.
    ok: bool,
    /// The file, as messages name it.
    file: &'a str,
    /// The stage; null for the settings that all stages have in common.
    stage: Option<&'a str>,
    /// All stages of the file.
    stages: &'a [&'a str],
    /// Every setting that has a value.
    settings: Vec<SettingObject>,
    /// Possible mistakes.
    warnings: Vec<ProblemObject>,
}

/// One setting.
#[derive(Serialize)]
struct SettingObject {
    /// Its dotted key.
    key: String,
    /// Its value; null if it is secret.
    value: Value,
    /// Where it was last assigned or changed.
    origin: Value,
    /// For a list, where each item comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    origins: Option<Vec<Value>>,
}

/// The output of `--json` for invalid settings.
#[derive(Serialize)]
struct FailureObject<'a> {
    /// Always false.
    ok: bool,
    /// The file, as messages name it.
    file: &'a str,
    /// The errors.
    errors: Vec<ProblemObject>,
}

/// One problem.
#[derive(Serialize)]
struct ProblemObject {
    /// `error` or `warning`.
    severity: &'static str,
    /// The message.
    message: String,
    /// The text to write instead.
    hint: Option<String>,
    /// Its position.
    origin: Value,
}

/// All settings as JSON.
pub fn json(file: &str, stage: Option<&str>, stages: &[&str], settings: &Settings) -> String {
    serialized(&SettingsObject {
        ok: true,
        file,
        stage,
        stages,
        settings: settings.explain().iter().map(setting).collect(),
        warnings: problems(settings.warnings(), "warning"),
    })
}

/// Problems as JSON.
pub fn problems_json(file: &str, problems: &Problems) -> String {
    serialized(&FailureObject { ok: false, file, errors: self::problems(&problems.0, "error") })
}

/// Serializing can't fail: all keys are texts.
fn serialized(object: &impl Serialize) -> String {
    serde_json::to_string(object).map(|line| line + "\n").unwrap_or_default()
}

fn setting(explained: &ExplainedSetting) -> SettingObject {
    let mut values = explained.parts.iter().map(value);
    SettingObject {
        key: explained.key.clone(),
        value: if explained.is_list { values.collect() } else { values.next().unwrap_or_default() },
        origin: origin(&explained.origin),
        origins: explained
            .is_list
            .then(|| explained.parts.iter().map(|part| origin(&part.origin)).collect()),
    }
}

fn value(part: &ExplainedItem) -> Value {
    match &part.setting_value {
        None => Value::Null,
        Some(SettingValue::Count(count)) => json!(count),
        Some(SettingValue::Flag(flag)) => json!(flag),
        Some(SettingValue::Text(text) | SettingValue::Age(_, text)) => json!(text),
        Some(SettingValue::Hook(hook)) => json!({
            "run": hook.run,
            "roles": hook.roles,
            "timeout_seconds": hook.timeout.map(|timeout| timeout.as_secs_f64()),
        }),
    }
}

fn origin(origin: &Location) -> Value {
    match origin {
        Location::BuiltIn(None) => json!({ "kind": "built_in" }),
        Location::BuiltIn(Some(template)) => json!({ "kind": "built_in", "from": template }),
        Location::File { name, line, column } => {
            json!({ "kind": "file", "file": name, "line": line, "column": column })
        }
        Location::Variable(name) => json!({ "kind": "variable", "name": name }),
        Location::Argument(name) => json!({ "kind": "argument", "name": name }),
    }
}

fn problems(diagnostics: &[Diagnostic], severity: &'static str) -> Vec<ProblemObject> {
    let problem = |diagnostic: &Diagnostic| ProblemObject {
        severity,
        message: diagnostic.message(),
        hint: diagnostic.hint(),
        origin: diagnostic.location().as_ref().map_or(Value::Null, origin),
    };
    diagnostics.iter().map(problem).collect()
}
