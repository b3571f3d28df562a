//! The table of settings, in the order in which they are shown.

use assetsync_sync::DEFAULT_PATTERNS;

use super::{Default, Kind, Scope, Setting};
use crate::command;
use crate::config::choice::{Choice as _, DeleteMode, ManagerName, Preset};
use crate::config::deployment::{OnFailure, Publish, Transport};

/// Programs that run through a version manager: Capistrano's lists, with the additions of its
/// plugins.
const RBENV_BINS: &[&str] = &["rake", "gem", "bundle", "ruby", "rails", "puma", "pumactl"];
const RVM_BINS: &[&str] = &["gem", "rake", "ruby", "bundle", "puma", "pumactl"];
const CHRUBY_BINS: &[&str] = &["rake", "gem", "bundle", "ruby", "puma", "pumactl"];
const BUNDLE_BINS: &[&str] = &["gem", "rake", "rails", "puma", "pumactl"];

/// All settings.
pub(crate) static SETTINGS: &[Setting] = &[
    stage("application", Kind::Word),
    host("deploy_to", Kind::ServerDir),
    host("shared_path", Kind::ServerDir).template("{deploy_to}/shared"),
    host("current_path", Kind::ServerDir).template("{deploy_to}/current"),
    stage("max_parallel", Kind::Count(1, 1000)).value("8"),
    // The settings of the build and of retention.
    stage("build.command", Kind::Command),
    stage("build.cleanup", Kind::Flag).value("true"),
    stage("build.environment.RAILS_ENV", Kind::Variable).value("production"),
    stage("build.environment.NODE_ENV", Kind::Variable).value("production"),
    stage("build.environment.*", Kind::Variable),
    stage("assets.source", Kind::SourceDir).value("public/assets"),
    stage("assets.destination", Kind::Below).template("{assets.source}"),
    stage("assets.roles", Kind::Word).items(&["web"]),
    stage("assets.entry_points", Kind::Text).items(DEFAULT_PATTERNS).guarded(),
    stage("assets.fingerprints", Kind::Text).list(),
    stage("assets.exclude", Kind::Text).list(),
    stage("assets.chmod", Kind::Text).list(),
    stage("assets.delete", Kind::Choice(DeleteMode::WORDS)).value("retain"),
    stage("assets.retention.keep", Kind::Count(0, 10_000)).value("3"),
    stage("assets.retention.max_age", Kind::Age).value("7d"),
    stage("assets.publish", Kind::Choice(Publish::WORDS)).value("files"),
    stage("assets.url_path", Kind::Text),
    // The hooks.
    stage("hooks.before_build", Kind::Hook).list(),
    stage("hooks.after_build", Kind::Hook).list(),
    stage("hooks.before_publish", Kind::Hook).list(),
    stage("hooks.after_publish", Kind::Hook).list(),
    stage("hooks.on_failure", Kind::Hook).list(),
    stage("restart.preset", Kind::Choice(Preset::WORDS)).value("none"),
    stage("restart.command", Kind::Command),
    stage("restart.phased", Kind::Flag).value("false"),
    stage("restart.roles", Kind::Word).items(&["app"]),
    // What visitors get is checked after publishing.
    host("verify.url", Kind::Url),
    host("verify.address", Kind::Word),
    stage("verify.on_failure", Kind::Choice(OnFailure::WORDS)).value("report"),
    // How long things may take; seconds are the finest.
    stage("timeouts.connect", Kind::Age).value("15s"),
    stage("timeouts.silence", Kind::Age).value("60s"),
    stage("timeouts.command", Kind::Age).value("5m"),
    stage("timeouts.build", Kind::Age).value("1h"),
    stage("timeouts.verify", Kind::Age).value("30s"),
    // How a host is reached, and what commands find there.
    host("ssh.user", Kind::Word),
    host("ssh.port", Kind::Count(1, 65_535)),
    host("ssh.identities", Kind::LocalPath).list(),
    host("ssh.config", Kind::LocalPath),
    host("ssh.become", Kind::User),
    host("ssh.rsh", Kind::Command),
    host("ssh.transport", Kind::Choice(Transport::WORDS)),
    host("environment.*", Kind::Variable),
    host("version_manager", Kind::Choice(ManagerName::WORDS)),
    host("rbenv.ruby", Kind::Word),
    host("rbenv.path", Kind::Text).value("$HOME/.rbenv"),
    host("rbenv.prefix", Kind::Text),
    host("rbenv.map_bins", Kind::Word).items(RBENV_BINS).guarded(),
    host("rvm.ruby", Kind::Word).value("default"),
    host("rvm.path", Kind::Text).value("~/.rvm"),
    host("rvm.map_bins", Kind::Word).items(RVM_BINS).guarded(),
    host("chruby.ruby", Kind::Word),
    host("chruby.exec", Kind::Text).value("/usr/local/bin/chruby-exec"),
    host("chruby.map_bins", Kind::Word).items(CHRUBY_BINS).guarded(),
    host("bundler.bins", Kind::Word).items(BUNDLE_BINS).guarded(),
    host("puma.state", Kind::Text).template("{shared_path}/tmp/pids/puma.state"),
    host("puma.config", Kind::Text).template("{shared_path}/puma.rb"),
    host("puma.rack_env", Kind::Word),
    host("puma.user", Kind::Word),
    host("systemd.unit", Kind::Word).template("{application}_puma_{stage}"),
    host("systemd.scope", Kind::Choice(command::Scope::WORDS)).value("user"),
    host("systemd.systemctl", Kind::Text).value("/bin/systemctl"),
    host("systemd.runtime_dir", Kind::Flag).value("false"),
];

const fn stage(name: &'static str, kind: Kind) -> Setting {
    let (is_list, is_guarded) = (false, false);
    Setting { name, kind, is_list, scope: Scope::Stage, default: Default::None, is_guarded }
}

const fn host(name: &'static str, kind: Kind) -> Setting {
    Setting { scope: Scope::Host, ..stage(name, kind) }
}

impl Setting {
    const fn value(self, text: &'static str) -> Setting {
        Setting { default: Default::Value(text), ..self }
    }

    const fn items(self, items: &'static [&'static str]) -> Setting {
        Setting { is_list: true, default: Default::Items(items), ..self }
    }

    const fn template(self, text: &'static str) -> Setting {
        Setting { default: Default::Template(text), ..self }
    }

    const fn list(self) -> Setting {
        Setting { is_list: true, ..self }
    }

    const fn guarded(self) -> Setting {
        Setting { is_guarded: true, ..self }
    }
}
