//! Layers: which one counts, how lists grow, and what a deployment comes to.

use std::path::PathBuf;
use std::time::Duration;

use super::{deployment, resolved, settings, with};
use crate::command::{Manager, Pumactl, Rbenv};
use crate::config::{ConfigFile, Delete, Overrides, Publish, RestartHow, Severity, Transport};

/// The values of one key and where each part comes from.
fn explained(text: &str, environment: &[(&str, &str)], arguments: &[&str], key: &str) -> String {
    let all = resolved(text, environment, arguments).explain();
    let Some(found) = all.iter().find(|one| one.key == key) else { return "none".into() };
    let part = |part: &crate::config::ExplainedItem| format!("{} < {}", part, part.origin);
    found.parts.iter().map(part).collect::<Vec<_>>().join(", ")
}

const ALL_LAYERS: &str = "\
application = \"shop\"
ssh.user = \"file\"
[stages.production]
ssh.user = \"stage\"
deploy_to = \"/srv/shop\"
hosts = [{ address = \"web1\", user = \"host\" }, \"web2\"]
[stages.staging]
ssh.user = \"other\"
";

#[test]
fn each_layer_goes_over_those_before() {
    let variable = ("ASSETSYNC_SSH_USER", "variable");
    let key = "hosts.web1.ssh.user";
    let user = |environment: &[_], arguments: &[_], key| {
        explained(ALL_LAYERS, environment, arguments, key)
    };
    assert_eq!(user(&[], &[], "ssh.user"), "\"stage\" < assetsync.toml:4:12");
    assert_eq!(user(&[], &[], key), "\"host\" < assetsync.toml:6:37");
    assert_eq!(user(&[], &[], "hosts.web2.ssh.user"), "none");
    assert_eq!(user(&[variable], &[], "ssh.user"), "\"variable\" < ASSETSYNC_SSH_USER");
    assert_eq!(user(&[variable], &[], key), "none");
    let argument = "ssh.user=argument";
    assert_eq!(user(&[variable], &[argument], "ssh.user"), "\"argument\" < --set ssh.user");
    let twice = ["ssh.user=one", "ssh.user=two"];
    assert_eq!(user(&[], &twice, "ssh.user"), "\"two\" < --set ssh.user");
    let file = "application = \"shop\"\nssh.user = \"file\"\n";
    assert_eq!(explained(file, &[], &[], "ssh.user"), "\"file\" < assetsync.toml:2:12");
}

/// As in the file, or separated by commas.
#[test]
fn an_argument_may_be_a_list_as_in_toml() {
    let text = with("");
    let excluded = |given: &str| explained(&text, &[], &[given], "assets.exclude");
    let by_commas = excluded("assets.exclude=*.map, a");
    let expected = "\"*.map\" < --set assets.exclude, \"a\" < --set assets.exclude";
    assert_eq!(by_commas, expected);
    assert_eq!(excluded("assets.exclude=[\"*.map\", 'a']"), by_commas);
    let variable = ("ASSETSYNC_ASSETS_EXCLUDE", "['a,b']");
    let of_variable = explained(&text, &[variable], &[], "assets.exclude");
    assert_eq!(of_variable, "\"a,b\" < ASSETSYNC_ASSETS_EXCLUDE");
}

#[test]
fn an_empty_variable_is_not_set() {
    let text = with("");
    assert_eq!(explained(&text, &[("ASSETSYNC_SSH_USER", "")], &[], "ssh.user"), "none");
}

#[test]
fn defaults_follow_what_they_are_made_of() {
    let text = "\
application = \"shop\"
deploy_to = \"/srv/shop/\"
[stages.production]
hosts = [\"web1\", { address = \"web2\", deploy_to = \"apps/shop\" }]
";
    let settings = settings(text);
    let all = settings.explain();
    let value = |key: &str| all.iter().find(|one| one.key == key).map(|one| one.to_string());
    assert_eq!(value("shared_path").as_deref(), Some("\"/srv/shop/shared\""));
    assert_eq!(value("hosts.web2.shared_path").as_deref(), Some("\"apps/shop/shared\""));
    assert_eq!(value("hosts.web2.current_path").as_deref(), Some("\"apps/shop/current\""));
    assert_eq!(value("hosts.web1.shared_path"), None);
    let origin = all.iter().find(|one| one.key == "shared_path").map(|one| one.origin.to_string());
    assert_eq!(origin.as_deref(), Some("built in: {deploy_to}/shared"));
}

#[test]
fn lists_are_extended_and_shortened() {
    let bins = "rbenv.map_bins";
    let built_in = ["rake", "gem", "bundle", "ruby", "rails", "puma", "pumactl"];
    let text = "\
application = \"shop\"
deploy_to = \"/srv/shop\"
[rbenv.map_bins]
append = [\"foreman\", \"rake\"]
[stages.production]
hosts = [{ address = \"web1\", rbenv.map_bins.append = [\"sidekiq\"] }]
[stages.production.rbenv.map_bins]
append = [\"assetsync\"]
remove = [\"rails\", \"foreman\"]
";
    let variable = [("ASSETSYNC_RBENV_MAP_BINS_APPEND", " a , b,")];
    let arguments = ["rbenv.map_bins.remove=gem"];
    let settings = resolved(text, &variable, &arguments);
    assert_eq!(settings.warnings(), []);
    let host = settings.deployment().unwrap_or_else(|error| panic!("{error}")).hosts.remove(0);
    let Manager::Rbenv(rbenv) = host.manager else { panic!("{:?}", host.manager) };
    let expected = ["rake", "bundle", "ruby", "puma", "pumactl", "assetsync", "sidekiq", "a", "b"];
    assert_eq!(rbenv.map_bins, expected);

    let parts = explained(text, &variable, &[], bins);
    assert!(parts.starts_with("\"rake\" < built in, "), "{parts}");
    assert!(parts.ends_with("\"assetsync\" < assetsync.toml:8:11, \"a\" < ASSETSYNC_RBENV_MAP_BINS_APPEND, \"b\" < ASSETSYNC_RBENV_MAP_BINS_APPEND"), "{parts}");
    let unchanged = deployment(&with("version_manager = \"rbenv\""));
    assert!(
        matches!(&unchanged.hosts[0].manager, Manager::Rbenv(rbenv) if rbenv.map_bins == built_in)
    );
}

#[test]
fn built_in_lists_are_those_of_capistrano() {
    let lists = [
        ("rbenv.map_bins", &Rbenv::MAP_BINS[..]),
        ("rvm.map_bins", &crate::command::Rvm::MAP_BINS),
        ("chruby.map_bins", &crate::command::Chruby::MAP_BINS),
        ("bundler.bins", &crate::command::Bundler::MAP_BINS),
    ];
    let text = with("rbenv.ruby = \"3\"\nrvm.ruby = \"3\"\nchruby.ruby = \"3\"\n");
    let all = settings(&text).explain();
    for (key, bins) in lists {
        let found = all.iter().find(|one| one.key == key).expect("it has a default");
        let names: Vec<String> = found
            .parts
            .iter()
            .filter_map(|part| Some(part.setting_value.as_ref()?.plain()))
            .collect();
        let expected: Vec<&str> = bins.iter().chain(&Pumactl::BINS).copied().collect();
        assert_eq!(names, expected, "{key}");
    }
}

#[test]
fn a_replaced_list_suggests_append() {
    let text = with("version_manager = \"rbenv\"");
    let warning = |environment: &[_], arguments: &[_]| {
        let settings = resolved(&text, environment, arguments);
        let [warning] = settings.warnings() else { panic!("{:?}", settings.warnings()) };
        assert_eq!(warning.problem.severity(), Severity::Warning);
        warning.to_string()
    };
    let expected = "\
warning: Assigning 'rbenv.map_bins' drops gem, bundle, ruby, rails, puma and pumactl
 |
 | --set rbenv.map_bins=rake,x
 |                      ^^^^^^
 |
 = note: gem, bundle, ruby, rails, puma and pumactl are built in
 = hint: to keep them, write --set rbenv.map_bins.append=x
 = hint: to drop them, write --set
         rbenv.map_bins.remove=gem,bundle,ruby,rails,puma,pumactl";
    assert_eq!(warning(&[], &["rbenv.map_bins=rake,x"]), expected);
    let expected = "\
warning: Assigning 'bundler.bins' drops pumactl
 |
 | ASSETSYNC_BUNDLER_BINS=gem,rake,rails,puma,x
 |                        ^^^^^^^^^^^^^^^^^^^^^
 |
 = note: pumactl is built in
 = hint: to keep them, write ASSETSYNC_BUNDLER_BINS_APPEND=x
 = hint: to drop them, write ASSETSYNC_BUNDLER_BINS_REMOVE=pumactl";
    let given = [("ASSETSYNC_BUNDLER_BINS", "gem,rake,rails,puma,x")];
    assert_eq!(warning(&given, &[]), expected);
}

#[test]
fn an_assignment_that_drops_nothing_is_no_warning() {
    for lines in [
        "rbenv.map_bins = [\"pumactl\", \"puma\", \"rails\", \"ruby\", \"bundle\", \"gem\", \"rake\", \"x\"]",
        "assets.roles = [\"app\"]",
        "restart.roles = [\"web\"]",
        "assets.exclude = [\"*.map\"]",
    ] {
        assert_eq!(settings(&with(lines)).warnings(), [], "{lines}");
    }
}

#[test]
fn sets_of_assets_have_what_is_set_for_all_and_their_own() {
    let text = "\
application = \"shop\"
deploy_to = \"/srv/shop\"
[assets]
retention.keep = 5
exclude = [\"*.map\"]
[assets.rails]
source = \"public/assets\"
[assets.vite]
source = \"public/vite\"
destination = \"public/v\"
delete = \"mirror\"
exclude.append = [\"*.txt\"]
publish = \"directory\"
[stages.production]
assets.roles = [\"app\"]
assets.rails.retention.max_age = \"36h\"
hosts = [\"web1\"]
";
    let variable = ("ASSETSYNC_ASSETS_RAILS_RETENTION_KEEP", "9");
    let settings = resolved(text, &[variable], &["assets.vite.fingerprints=_v(\\d+)"]);
    assert_eq!(settings.warnings(), []);
    let assets = settings.deployment().unwrap_or_else(|error| panic!("{error}")).assets;
    let [rails, vite] = assets.as_slice() else { panic!("{assets:?}") };
    let max_age = Duration::from_secs(36 * 3600);
    assert_eq!(rails.delete, Delete::Retain { keep: 9, max_age });
    assert_eq!((rails.name.as_str(), rails.destination.as_str()), ("rails", "public/assets"));
    assert_eq!((rails.roles.as_slice(), rails.publish), (&["app".to_owned()][..], Publish::Files));
    assert_eq!((vite.delete, vite.publish), (Delete::Mirror, Publish::Directory));
    assert_eq!(
        (vite.source.to_str(), vite.destination.as_str()),
        (Some("public/vite"), "public/v")
    );
    assert_eq!(
        (rails.exclude.join(" "), vite.exclude.join(" ")),
        ("*.map".into(), "*.map *.txt".into())
    );
    assert_eq!(vite.fingerprints, ["_v(\\d+)"]);
}

#[test]
fn a_deployment_has_everything() {
    let text = "\
application = \"shop\"
deploy_to = \"/srv/shop\"
max_parallel = 3
[build]
command = \"bin/rails assets:precompile\"
cleanup = false
environment = { RAILS_ENV = \"staging\", WORKERS = 2, TRACE = true }
[hooks]
before_build = [\"npm ci\"]
after_publish = [{ run = \"rake cache:clear\", roles = [\"app\"], timeout = \"90s\" }]
[restart]
preset = \"pumactl\"
phased = true
[ssh]
identities = [\"~/.ssh/deploy\", \"keys/ci\"]
config = \"ssh_config\"
transport = \"openssh\"
[environment]
PATH = \"/opt/ruby/bin:$PATH\"
[timeouts]
connect = \"5s\"
[[stages.production.hosts]]
address = \"deploy@[2001:db8::1]:2222\"
roles = [\"app\", \"web\", \"db\"]
";
    let settings = resolved(text, &[("HOME", "/home/me")], &[]);
    let deployment = settings.deployment().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(
        (deployment.stage.as_str(), deployment.application.as_str()),
        ("production", "shop")
    );
    assert_eq!((deployment.max_parallel, deployment.build.cleanup), (3, false));
    let environment = format!("{:?}", deployment.build.environment);
    let expected =
        r#"Environment(RAILS_ENV="staging" NODE_ENV="production" WORKERS="2" TRACE="true")"#;
    assert_eq!(environment, expected);
    assert_eq!(deployment.hooks.before_build[0].run, "npm ci");
    assert_eq!(deployment.hooks.before_build[0].roles, [] as [&str; 0]);
    let after = &deployment.hooks.after_publish[0];
    assert_eq!(
        (after.roles.join(","), after.timeout),
        ("app".into(), Some(Duration::from_secs(90)))
    );
    assert_eq!(deployment.restart.how, RestartHow::Pumactl { phased: true });
    assert_eq!(deployment.timeouts.connect, Duration::from_secs(5));
    assert_eq!(deployment.timeouts.silence, Duration::from_secs(60));

    let host = &deployment.hosts[0];
    assert_eq!((host.address.as_str(), host.roles.len()), ("2001:db8::1", 3));
    assert_eq!((host.ssh.user.as_deref(), host.ssh.port), (Some("deploy"), Some(2222)));
    let identities = ["/home/me/.ssh/deploy", "keys/ci"].map(PathBuf::from);
    assert_eq!(host.ssh.identities, identities);
    assert_eq!(host.ssh.config, Some("ssh_config".into()));
    assert_eq!(host.ssh.transport, Some(Transport::Openssh));
    assert_eq!(format!("{:?}", host.environment), r#"Environment(PATH="/opt/ruby/bin:$PATH")"#);
    assert_eq!(host.puma.state, "/srv/shop/shared/tmp/pids/puma.state");
    assert_eq!(host.systemd.unit, "shop_puma_production");
}

#[test]
fn the_same_address_with_two_ports_is_two_hosts() {
    let text = "\
application = \"shop\"
deploy_to = \"/srv/shop\"
[stages.production]
hosts = [\"127.0.0.1:2201\", \"127.0.0.1:2202\"]
";
    let settings = settings(text);
    let keys: Vec<String> = settings.explain().into_iter().map(|one| one.key).collect();
    assert!(keys.contains(&"hosts.\"127.0.0.1:2202\".address".to_owned()), "{keys:?}");
    let ports = settings.deployment().expect("fine").hosts.into_iter().map(|host| host.ssh.port);
    assert_eq!(ports.collect::<Vec<_>>(), [Some(2201), Some(2202)]);
}

#[test]
fn a_byte_order_mark_and_carriage_returns_are_nothing() {
    let text = format!("\u{feff}{}", with("")).replace('\n', "\r\n");
    let file = ConfigFile::parse("assetsync.toml", &text).expect("a good file");
    let settings = file.resolve(Some("production"), &Overrides::default()).expect("fine");
    assert!(settings.deployment().is_ok());
}
