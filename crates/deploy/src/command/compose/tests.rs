//! Every line here was printed by SSHKit 1.21.2 (Debian's ruby-sshkit, the one of Capistrano
//! 3.17.2), whose `command.rb` and `command_map.rb` are the same in 1.25.0. `tests/sshkit.rs` asks
//! the real one.

use super::*;
use crate::command::Environment;
use crate::command::{
    Bundler, Chruby, Manager, Passenger, Pumactl, Rbenv, Rvm, Scope, Systemd, Umask, Value,
};

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn with_puma(bins: &[&str]) -> Vec<String> {
    bins.iter().chain(&Pumactl::BINS).map(|&bin| bin.to_owned()).collect()
}

fn rbenv() -> Rbenv {
    let map_bins = with_puma(&Rbenv::MAP_BINS);
    Rbenv { version: Some("2.4.0".into()), map_bins, ..Rbenv::default() }
}

fn bundler() -> Bundler {
    Bundler { map_bins: with_puma(&Bundler::MAP_BINS) }
}

fn bundled(manager: Manager) -> CommandMap {
    CommandMap::default().with_bundler(&bundler()).with_manager(&manager)
}

fn pumactl() -> Pumactl {
    Pumactl {
        current_path: "/home/emeral/applications/emeral/current".into(),
        state: "/home/emeral/applications/emeral/shared/tmp/pids/puma.state".into(),
        config: Some("/home/emeral/applications/emeral/shared/puma.rb".into()),
        rack_env: Some("production".into()),
        user: None,
    }
}

fn check(map: &CommandMap, invocation: &Invocation, expected: &str) {
    assert_eq!(line(map, invocation).as_deref(), Ok(expected));
}

#[test]
fn plain_programs() {
    let map = CommandMap::default();
    let table = [
        (Invocation::program("whoami"), "/usr/bin/env whoami"),
        (Invocation::program("/opt/bin/x").arg("-v"), "/usr/bin/env /opt/bin/x -v"),
        (Invocation::program("test").arg("-d").arg("/srv"), "test -d /srv"),
        (Invocation::program("exec").arg("ls"), "exec ls"),
        (Invocation::program("time").arg("ls"), "time ls"),
        (Invocation::program("if").arg("x"), "if x"),
        (Invocation::verbatim("a b > /dev/null").within("/srv"), "a b > /dev/null"),
        (Invocation::script("a b; c"), "a b; c"),
    ];
    for (invocation, expected) in table {
        check(&map, &invocation, expected);
    }
}

#[test]
fn surroundings_in_their_order() {
    let map = CommandMap::default();
    let mut all = Invocation::program("whoami").within("~/my app");
    check(&map, &all, "cd ~/my\\ app && /usr/bin/env whoami");
    all.umask = Some(Umask::new("077").unwrap());
    check(&map, &all, "cd ~/my\\ app && umask 077 && /usr/bin/env whoami");
    all.with.put("A", text("x \"y\""));
    let exported = r#"cd ~/my\ app && umask 077 && ( export A="x \"y\"" ; /usr/bin/env whoami )"#;
    check(&map, &all, exported);
    all.as_user = Some("de ploy".into());
    check(
        &map,
        &all,
        r#"cd ~/my\ app && umask 077 && ( export A="x \"y\"" ; sudo -u de\ ploy A="x \"y\"" -- sh -c /usr/bin/env\ whoami )"#,
    );
    all.as_group = Some("www".into());
    check(
        &map,
        &all,
        r#"cd ~/my\ app && umask 077 && ( export A="x \"y\"" ; sudo -u de\ ploy A="x \"y\"" -- sh -c sg\ www\ -c\ /usr/bin/env\\\ whoami )"#,
    );
    all.with = Environment::new();
    all.as_group = None;
    check(
        &map,
        &all,
        r"cd ~/my\ app && umask 077 && sudo -u de\ ploy -- sh -c /usr/bin/env\ whoami",
    );
}

#[test]
fn rbenv_as_capistrano_writes_it() {
    let map = bundled(Manager::Rbenv(rbenv()));
    let environment = r#"( export RBENV_ROOT="$HOME/.rbenv" RBENV_VERSION="2.4.0""#;
    let table = [
        ("rake", "$HOME/.rbenv/bin/rbenv exec bundle exec rake"),
        ("gem", "$HOME/.rbenv/bin/rbenv exec bundle exec gem"),
        ("rails", "$HOME/.rbenv/bin/rbenv exec bundle exec rails"),
        ("puma", "$HOME/.rbenv/bin/rbenv exec bundle exec puma"),
        ("bundle", "$HOME/.rbenv/bin/rbenv exec bundle"),
        ("ruby", "$HOME/.rbenv/bin/rbenv exec ruby"),
        ("rbenv", "$HOME/.rbenv/bin/rbenv"),
        ("ls", "/usr/bin/env ls"),
    ];
    for (name, expected) in table {
        check(&map, &Invocation::program(name), &format!("{environment} ; {expected} )"));
    }
}

#[test]
fn the_puma_restart_of_issue_206() {
    let expected = "cd /home/emeral/applications/emeral/current && \
        ( export RBENV_ROOT=\"$HOME/.rbenv\" RBENV_VERSION=\"2.4.0\" RACK_ENV=\"production\" ; \
        $HOME/.rbenv/bin/rbenv exec bundle exec pumactl \
        -S /home/emeral/applications/emeral/shared/tmp/pids/puma.state \
        -F /home/emeral/applications/emeral/shared/puma.rb restart )";
    check(&bundled(Manager::Rbenv(rbenv())), &pumactl().restart(), expected);
}

/// The text that was reported as working: capistrano3-puma 1.2.1, with the prefix of
/// capistrano-rbenv's README.
#[test]
fn the_line_that_issue_206_misses() {
    let prefix = "RBENV_ROOT=$HOME/.rbenv RBENV_VERSION=2.4.0 $HOME/.rbenv/bin/rbenv exec";
    let map = bundled(Manager::Rbenv(Rbenv { prefix: Some(prefix.into()), ..rbenv() }));
    let restart = Pumactl { config: None, ..pumactl() }.restart();
    let expected = "RBENV_ROOT=$HOME/.rbenv RBENV_VERSION=2.4.0 $HOME/.rbenv/bin/rbenv exec bundle exec \
        pumactl -S /home/emeral/applications/emeral/shared/tmp/pids/puma.state restart";
    assert_eq!(display_line(&map, &restart, &Secrets::default()).as_ref(), expected);
}

/// `set :rbenv_map_bins, %w{rake gem bundle ruby rails}` in deploy.rb drops what puma appended.
#[test]
fn the_clobbered_list_of_issue_206() {
    let clobbered = Rbenv { map_bins: Rbenv::default().map_bins, ..rbenv() };
    let map = bundled(Manager::Rbenv(clobbered));
    let expected = "bundle exec pumactl -S /home/emeral/applications/emeral/shared/tmp/pids/puma.state \
        -F /home/emeral/applications/emeral/shared/puma.rb restart";
    assert_eq!(display_line(&map, &pumactl().restart(), &Secrets::default()).as_ref(), expected);
    assert!(line(&map, &pumactl().phased_restart()).unwrap().ends_with("puma.rb phased-restart )"));
}

#[test]
fn rvm_as_in_puma_256() {
    let version = "ruby-2.3.1@mff_v2".to_owned();
    let rvm = Rvm { path: "/usr/local/rvm".into(), version, ..Rvm::default() };
    let map = bundled(Manager::Rvm(rvm));
    let clean = Invocation::program("rake").arg("assets:clean[2]");
    let expected = "/usr/local/rvm/bin/rvm ruby-2.3.1@mff_v2 do bundle exec rake 'assets:clean[2]'";
    check(&map, &clean, expected);
    check(&map, &Invocation::program("rvm").arg("version"), "/usr/local/rvm/bin/rvm version");
    let default = CommandMap::default().with_manager(&Manager::Rvm(Rvm::default()));
    let mut ruby = Invocation::program("ruby").arg("-v").within("/srv/app/current");
    check(&default, &ruby, "cd /srv/app/current && ~/.rvm/bin/rvm default do ruby -v");
    ruby.as_user = Some("deploy".into());
    check(
        &default,
        &ruby,
        r"cd /srv/app/current && sudo -u deploy -- sh -c \~/.rvm/bin/rvm\ default\ do\ ruby\ -v",
    );
}

#[test]
fn chruby_and_none() {
    let map = bundled(Manager::Chruby(Chruby::new("ruby-3.3.0")));
    let rake = Invocation::program("rake").arg("assets:precompile");
    let expected = "/usr/local/bin/chruby-exec ruby-3.3.0 -- bundle exec rake assets:precompile";
    check(&map, &rake, expected);
    let install = Invocation::program("bundle").arg("install");
    check(&map, &install, "/usr/local/bin/chruby-exec ruby-3.3.0 -- bundle install");
    check(&bundled(Manager::None), &rake, "bundle exec rake assets:precompile");
    check(&CommandMap::default(), &rake, "/usr/bin/env rake assets:precompile");
}

#[test]
fn the_order_of_adding_does_not_matter() {
    let manager = Manager::Rbenv(rbenv());
    let one = CommandMap::default().with_manager(&manager).with_bundler(&bundler());
    assert_eq!(one, bundled(manager));
}

#[test]
fn default_environment_comes_first() {
    let mut environment = Environment::new();
    environment.put("PATH", Value::Expanding("/opt/ruby/bin:$PATH".into()));
    let map = CommandMap::new(environment).with_manager(&Manager::Rbenv(Rbenv::default()));
    let mut rake = Invocation::program("rake").arg("assets:precompile");
    rake.with.put("RAILS_ENV", text("production"));
    check(
        &map,
        &rake,
        r#"( export PATH="/opt/ruby/bin:$PATH" RBENV_ROOT="$HOME/.rbenv" RBENV_VERSION="" RAILS_ENV="production" ; $HOME/.rbenv/bin/rbenv exec rake assets:precompile )"#,
    );
}

#[test]
fn puma_by_systemd() {
    let map = CommandMap::default();
    let user = Systemd::new("blog_puma_production", Scope::User);
    let system = Systemd::new("blog_puma_production", Scope::System);
    let table = [
        (user.restart(), "/usr/bin/env /bin/systemctl --user restart blog_puma_production"),
        (user.reload(), "/usr/bin/env /bin/systemctl --user reload blog_puma_production"),
        (user.status(), "/bin/systemctl --user status blog_puma_production > /dev/null"),
        (system.restart(), "/usr/bin/env sudo /bin/systemctl restart blog_puma_production"),
        (system.reload(), "/usr/bin/env sudo /bin/systemctl reload blog_puma_production"),
        (system.status(), "/bin/systemctl status blog_puma_production > /dev/null"),
        (Systemd::enable_linger("deploy"), "/usr/bin/env sudo loginctl enable-linger deploy"),
    ];
    for (invocation, expected) in table {
        check(&map, &invocation, expected);
    }
}

/// Not SSHKit's: a setting of ours, and scripts in surroundings, which SSHKit would drop.
#[test]
fn beyond_sshkit() {
    let map = CommandMap::default();
    let told = Systemd { sets_runtime_dir: true, ..Systemd::new("puma", Scope::User) };
    let runtime_dir = r#"( export XDG_RUNTIME_DIR="/run/user/$(id -u)" ; "#;
    let restart = "/usr/bin/env /bin/systemctl --user restart puma )";
    check(&map, &told.restart(), &format!("{runtime_dir}{restart}"));
    let status = "sh -c '/bin/systemctl --user status puma > /dev/null' )";
    check(&map, &told.status(), &format!("{runtime_dir}{status}"));
    let mut script = Invocation::script("a || b # done").within("/srv");
    check(&map, &script, "cd /srv && sh -c 'a || b # done'");
    let masked = Invocation { umask: Some(Umask::new("077").unwrap()), ..Invocation::script("a") };
    check(&map, &masked, "umask 077 && sh -c a");
    script.as_user = Some("deploy".into());
    check(&map, &script, r"cd /srv && sudo -u deploy -- sh -c a\ \|\|\ b\ \#\ done");
}

#[test]
fn passenger() {
    let passenger =
        Passenger { current_path: "/srv/blog/current".into(), deploy_to: "/srv/blog".into() };
    let [mkdir, touch] = passenger.touch();
    let map = CommandMap::default();
    check(&map, &mkdir, "/usr/bin/env mkdir -p /srv/blog/current/tmp");
    check(&map, &touch, "/usr/bin/env touch /srv/blog/current/tmp/restart.txt");
    let restart = "/usr/bin/env passenger-config restart-app /srv/blog --ignore-app-not-running";
    check(&map, &passenger.restart_app(), restart);
}

#[test]
fn one_line_of_a_user() {
    let map = bundled(Manager::Rbenv(rbenv()));
    let rake = Invocation::from_text("rake 'tmp:clear'").unwrap();
    assert_eq!(
        display_line(&map, &rake, &Secrets::default()).as_ref(),
        "$HOME/.rbenv/bin/rbenv exec bundle exec rake tmp:clear"
    );
    let script = Invocation::from_text("rake a && rake b").unwrap();
    assert_eq!(display_line(&map, &script, &Secrets::default()).as_ref(), "rake a && rake b");
}

#[test]
fn nothing_secret_is_shown() {
    let mut environment = Environment::new();
    environment.put("SECRET_KEY_BASE", text("0123456789abcdef"));
    let map = CommandMap::new(environment);
    let mut invocation = Invocation::program("curl")
        .word(Word::Secret("hunter22".into()))
        .arg("--key=0123456789abcdef")
        .arg("-s");
    invocation.with.put("API_TOKEN", text("short"));
    let shown_line = display_line(&map, &invocation, &Secrets::default());
    let expected = "/usr/bin/env curl [REDACTED] --key=[REDACTED] -s";
    assert_eq!(shown_line.as_ref(), expected);
    let real = line(&map, &invocation).unwrap();
    assert!(real.contains("\"0123456789abcdef\"") && real.contains(" hunter22 "));
    let output = Secrets::of(&map, &invocation).redact("sent 0123456789abcdef by hunter22");
    assert_eq!(output.as_ref(), "sent [REDACTED] by [REDACTED]");
}

#[test]
fn invalid_commands() {
    let map = CommandMap::default();
    assert_eq!(line(&map, &Invocation::program("")), Err(CommandError::Empty));
    assert_eq!(line(&map, &Invocation::script(" \n")), Err(CommandError::Empty));
    assert_eq!(line(&map, &Invocation::program("a").arg("b\0c")), Err(CommandError::Nul));
}
