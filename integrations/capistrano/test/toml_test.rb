# frozen_string_literal: true

require "helper"
require "pathname"

class TomlTest < AssetsyncTest
  Toml = Capistrano::Assetsync::Toml

  VALUES = {
    "plain" => '"plain"',
    :symbol => '"symbol"',
    Pathname("/var/www") => '"/var/www"',
    %(a "quoted" \\ word) => '"a \"quoted\" \\\\ word"',
    "tab\tline\nbell\a" => '"tab\tline\nbell\u0007"',
    "delete \u007f" => '"delete \u007f"',
    "été \u{1F680}" => "\"été \u{1F680}\"",
    "latin été".encode("ISO-8859-1") => '"latin été"',
    "env \u00E9".dup.force_encoding("US-ASCII") => "\"env \u00E9\"",
    7 => "7",
    true => "true",
    false => "false",
    %w[a b] => '["a", "b"]',
    [] => "[]"
  }.freeze

  def test_values
    VALUES.each { |value, expected| assert_equal expected, Toml.value(value), value.inspect }
  end

  def test_what_is_no_value
    [nil, 1.5, { a: 1 }, "\xFF", ["\xFF"], Object.new].each do |value|
      assert_raises(Toml::Unwritable, value.inspect) { Toml.value(value) }
    end
  end

  def test_keys
    rows = { "plain-1" => "plain-1", "two words" => '"two words"', "a.b" => '"a.b"', %i[a b] => "a.b" }
    rows.each { |name, expected| assert_equal expected, Toml.key(name) }
  end

  def test_sections
    sections = [["", { one: 1, none: nil }], ["[empty]", { none: nil }], ["[two]", { "a b" => "x" }]]
    assert_equal "one = 1\n\n[two]\n\"a b\" = \"x\"\n", Toml.dump(sections)
  end
end
