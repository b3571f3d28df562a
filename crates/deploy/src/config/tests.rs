//! The configuration as a whole: text in, messages and deployments out.

mod errors;
mod explain;
mod layers;
mod properties;
mod purity;
mod secrets;

use super::{ConfigFile, Deployment, Overrides, Settings};

/// Settings of the first stage, with nothing over the file.
fn settings(text: &str) -> Settings {
    resolved(text, &[], &[])
}

/// Settings of the first stage, with variables and arguments over the file.
fn resolved(text: &str, environment: &[(&str, &str)], arguments: &[&str]) -> Settings {
    let file = ConfigFile::parse("assetsync.toml", text).unwrap_or_else(|error| panic!("{error}"));
    let stage = file.stages().next().map(str::to_owned);
    let settings = file.resolve(stage.as_deref(), &overrides(environment, arguments));
    settings.unwrap_or_else(|error| panic!("{error}"))
}

fn overrides(environment: &[(&str, &str)], arguments: &[&str]) -> Overrides {
    let environment = environment.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    let arguments = arguments.iter().map(|&argument| argument.into());
    Overrides { environment: environment.collect(), arguments: arguments.collect() }
}

fn deployment(text: &str) -> Deployment {
    settings(text).deployment().unwrap_or_else(|error| panic!("{error}"))
}

/// A file with one stage and one host, and more lines at the top of it.
fn with(lines: &str) -> String {
    let head = "application = \"shop\"\ndeploy_to = \"/var/www/shop\"\n";
    format!("{head}{lines}\n[stages.production]\nhosts = [\"web1\"]\n")
}
