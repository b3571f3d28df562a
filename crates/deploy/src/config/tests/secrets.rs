//! Secrets are in no message, no list of values and no debug output.

use super::{overrides, resolved, with};
use crate::config::{ConfigFile, Overrides};

#[test]
fn listed_values_hide_them() {
    let lines = "\
[environment]
RAILS_MASTER_KEY = \"hunter2\"
CACHE_URL = \"redis://user:hunter2@cache/0\"
[build.environment]
NPM_TOKEN = \"hunter2\"
";
    let variable = ("ASSETSYNC_ENVIRONMENT_DB_PASSWORD", "hunter2");
    let settings = resolved(&with(lines), &[variable], &["environment.MY_SECRET=hunter2"]);
    let all = settings.explain();
    let hidden: Vec<&str> = all
        .iter()
        .filter(|one| one.to_string() == "\"(hidden)\"")
        .map(|one| one.key.as_str())
        .collect();
    let expected = [
        "build.environment.NPM_TOKEN",
        "environment.RAILS_MASTER_KEY",
        "environment.CACHE_URL",
        "environment.DB_PASSWORD",
        "environment.MY_SECRET",
    ];
    assert_eq!(hidden, expected);
    let deployment = settings.deployment().unwrap_or_else(|error| panic!("{error}"));
    for text in [format!("{all:?}"), format!("{settings:?}"), format!("{deployment:?}")] {
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn a_dollar_in_a_secret_is_a_dollar() {
    let settings =
        resolved(&with("environment = { A_SECRET = \"a$b\", PATH = \"/x:$PATH\" }"), &[], &[]);
    let environment = settings.deployment().expect("fine").hosts.remove(0).environment;
    let values: Vec<bool> = environment
        .iter()
        .map(|(_, value)| matches!(value, crate::command::Value::Expanding(_)))
        .collect();
    assert_eq!(values, [false, true]);
}

#[test]
fn messages_hide_them() {
    let file = ConfigFile::parse("assetsync.toml", &with("")).expect("a good file");
    for argument in
        ["environment.A_TOKEN_=hunter2\0", "environment.A.TOKEN=hunter2", "api_key=hunter2"]
    {
        let error = file.resolve(None, &overrides(&[], &[argument])).unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
    let misspelt =
        overrides(&[("ASSETSYNC_DEPLOYTO", "x"), ("ASSETSYNC_SSH_USRE_TOKEN", "hunter2")], &[]);
    let settings = file.resolve(None, &misspelt).expect("warnings only");
    assert!(settings.warnings().iter().all(|one| !one.to_string().contains("hunter2")));
    for debug in [format!("{file:?}"), format!("{misspelt:?}")] {
        assert!(!debug.contains("hunter2"), "{debug}");
    }
    let text =
        "[environment]\nB = [\"\"\"\nhunter2\"\"\", { API_KEY = \"hunter2\" }]\nX_KEY = 'hunter2\n";
    let error = ConfigFile::parse("assetsync.toml", text).unwrap_err().to_string();
    assert!(!error.contains("hunter2"), "{error}");
    assert!(ConfigFile::parse("assetsync.toml", &with("environment.A_KEY = \"hunter2\"")).is_ok());
    assert!(file.resolve(None, &Overrides::default()).is_ok());
}
