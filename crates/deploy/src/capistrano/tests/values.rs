//! Evaluation of written values.

use crate::capistrano::value::Value;
use crate::capistrano::{Files, RubyFile, reader};

/// The value of `:x` after a deploy.rb.
fn x(text: &str) -> Option<Value> {
    let deploy = RubyFile { name: "config/deploy.rb".into(), text: text.into() };
    let ruby_version = Some("3.3.6\n".into());
    let environment = [("HERE".to_owned(), "there".to_owned())].into();
    let files = Files { deploy: Some(deploy), ruby_version, environment, ..Files::default() };
    reader::read(&files, "production", None).get("x")
}

fn text(text: &str) -> Option<Value> {
    Some(Value::Text(text.into()))
}

fn texts(texts: &[&str]) -> Option<Value> {
    Some(Value::List(texts.iter().map(|&text| Value::Text(text.into())).collect()))
}

#[test]
fn literals() {
    let rows = [
        ("set :x, 'a'", text("a")),
        ("set(:x, \"a\\tb\\\"\\\\ \\#{c}\")", text("a\tb\"\\ #{c}")),
        ("set :x, 'a\\'b\\n'", text("a'b\\n")),
        ("set :x, :\"a b\"", text("a b")),
        ("set :x, 1_000", Some(Value::Number(1000))),
        ("set :x, -3", Some(Value::Number(-3))),
        ("set :x, true # why", Some(Value::Flag(true))),
        ("set :x, nil", Some(Value::Nil)),
        ("set :x, %w{a b}", texts(&["a", "b"])),
        ("set :x, %w[\n a\n b\n]", texts(&["a", "b"])),
        ("set :x, %i(a b)", texts(&["a", "b"])),
        ("set :x, %w|a b|", texts(&["a", "b"])),
        ("set :x, %q(a (b) c)", text("a (b) c")),
        ("set :x, %(a)", text("a")),
        ("set :x, ['a', :b,]", texts(&["a", "b"])),
        ("set :x, [\n  'a', # one\n\n  'b'\n]", texts(&["a", "b"])),
        ("set :x,\n  'a'", text("a")),
        ("set :x, 'a' \\\n  'b'", text("ab")),
        ("set :x, ('a')", text("a")),
        ("set :x, { a: 1, :b => 'c', 'd' => [], \"e\": nil }", {
            let pairs = [
                ("a", Value::Number(1)),
                ("b", Value::Text("c".into())),
                ("d", Value::List(Vec::new())),
                ("e", Value::Nil),
            ];
            Some(Value::Hash(pairs.map(|(name, value)| (name.to_owned(), value)).to_vec()))
        }),
        ("set :x, a: 'b'", Some(Value::Hash(vec![("a".into(), Value::Text("b".into()))]))),
        ("set :x, {}", Some(Value::Hash(Vec::new()))),
    ];
    for (line, expected) in rows {
        assert_eq!(x(line), expected, "{line}");
    }
}

#[test]
fn references_to_earlier_settings() {
    let rows = [
        ("set :y, 'a'; set :x, fetch(:y)", text("a")),
        ("set :y, 'a'\nset :x, \"/#{fetch(:y)}/#{fetch :stage}\"", text("/a/production")),
        ("set :x, -> { \"#{fetch(:y)}\" }\nset :y, 'late'", text("late")),
        ("set :x, lambda { fetch(:y, 'none') }", text("none")),
        ("set :x, proc { 1 }", Some(Value::Number(1))),
        ("set :deploy_to, '/a/'; set :x, \"#{shared_path}/b\"", text("/a/shared/b")),
        ("set :deploy_to, '/a'; set :x, current_path.join('b', 'c')", text("/a/current/b/c")),
        ("set :deploy_to, '/a'; set :x, File.join(shared_path, 'b')", text("/a/shared/b")),
        ("set :x, File.read('.ruby-version').strip", text("3.3.6")),
        ("set :x, 'a' + fetch(:stage).to_s", text("aproduction")),
        ("set :x, fetch(:y, []).push('a', 'b')", texts(&["a", "b"])),
        ("set :x, fetch(:y, [])\n  .push('a')\n  .concat(%w[b])", texts(&["a", "b"])),
        ("set :x, %w[a] + %w[b]", texts(&["a", "b"])),
        ("set :x, Array(fetch(:y, [])).push(:a).uniq.freeze", texts(&["a"])),
        ("append :x, 'a'\nappend :x, 'b', *%w[c]", texts(&["a", "b", "c"])),
        ("set :x, 'a'\nappend :x, 'b'", texts(&["a", "b"])),
        ("set :x, %w[a b c]\nremove :x, 'b', 'z'", texts(&["a", "c"])),
        ("set :x, 'a'\nset_if_empty :x, 'b'", text("a")),
        ("set :x, ENV['NONE'] || 'a'", text("a")),
        ("set :x, ENV[\"NONE\"] || ENV['HERE'] || \"a\"", text("there")),
        ("set :x, ENV.fetch('NONE', 'a')", text("a")),
        ("set :x, ENV.fetch('HERE', 'a')", text("there")),
        ("set :x, ENV.fetch(\"NONE\") { 'a' }", text("a")),
        ("set :y, 'b'; set :x, ENV['NONE'] || \"/a/#{fetch(:y)}\"", text("/a/b")),
        (
            "set :x, -> { fetch(:z) }\nset :z, -> { \"#{fetch(:y)}!\" }\nset :y, 'late'",
            text("late!"),
        ),
    ];
    for (lines, expected) in rows {
        assert_eq!(x(lines), expected, "{lines}");
    }
}

#[test]
fn values_that_need_ruby() {
    for line in [
        "set :x, ENV.fetch('NONE')",
        "set :x, ENV['NONE'] || `hostname`",
        "set :x, 'a'\nif ENV['CI']\n  set :x, 'b'\nend",
        "set :x, 'a'\nset :x, 'b' unless fetch(:skip)",
        "set :x, 'a'\n%w[b].each do |one|\n  set(:x, one)\nend",
        "set :x, 'a'\nask :x, 'b'",
        "set :x, 'a'\ncase ENV['A']\nwhen 'b' then set :x, 'b'\nend",
        "set :y, `id`; set :x, \"a#{fetch(:y)}\"",
        "set :x, `hostname`",
        "set :x, <<~TEXT\n  a\nTEXT",
        "set :x, Time.now.to_s",
        "set :x, \"#{`id`}\"",
        "set :x, fetch(:y)[0]",
        "set :x, /a/",
        "set :x, y ? 1 : 2",
        "set :x, 'a' if true",
        "set :x, 1.5",
        "set :x, [1, 2].map { |n| n }",
        "if true\n  set :x, 'a'\nend",
        "namespace :a do\n  set :x, 'a'\nend",
        "=begin\nset :x, 'a'\n=end",
        "x = 1\n__END__\nset :x, 'a'",
        "note <<-A, <<-B\nset :x, 'a'\n A\nset :x, 'b'\n B",
        "%w[a].each { |n| set :x, n }",
    ] {
        let value = x(line);
        assert!(matches!(value, None | Some(Value::Unknown)), "{line}: {value:?}");
    }
}

#[test]
fn statements_after_a_block_are_read() {
    for block in [
        "task :a do\n  if b then c end\n  d.each do |e| end\nend",
        "while true do\n  break if a\nend",
        "a = if b\n  1\nelse\n  2\nend",
        "def a\n  begin; b; rescue; c; end\nend",
        "class A; def end?; end; end",
        "after 'a', 'b' do puts \"end #{x do end}\" end",
        "a %r{end}, 'if do', :if, if: 1",
        "on roles(:all) { |host| a }",
    ] {
        assert_eq!(x(&format!("{block}\nset :x, 'a'\n")), text("a"), "{block}");
    }
}

#[test]
fn growth_has_an_end() {
    let doubling = |line: &str| format!("set :x, 'ab'\n{}", line.repeat(100));
    for lines in [
        doubling("set :x, \"#{fetch(:x)}#{fetch(:x)}\"\n"),
        doubling("set :x, [fetch(:x), fetch(:x)]\n"),
        doubling("set :x, fetch(:x) + fetch(:x)\n"),
        format!("set :x, []\n{}", "set :x, [fetch(:x)]\n".repeat(10_000)),
        format!("set :x, {}1{}", "[".repeat(10_000), "]".repeat(10_000)),
        format!("set :x, a{}", ".b".repeat(10_000)),
        format!("set :x, 'a'{}", " + 'a'".repeat(10_000)),
        format!("set :x, \"{}", "#{\"".repeat(10_000)),
        "set :x, -> { fetch(:x) }".to_owned(),
        "set :x, -> { [fetch(:y), fetch(:y)] }\nset :y, -> { [fetch(:x), fetch(:x)] }".to_owned(),
    ] {
        let value = x(&lines);
        let is_bounded = value.as_ref().is_none_or(|value| {
            value.is_unknown() || value.clone().into_text().is_some_and(|text| text.len() < 100_000)
        });
        assert!(is_bounded || value == Some(Value::List(Vec::new())), "{}", &lines[..40]);
    }
}
