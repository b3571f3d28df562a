//! The buckets of a stage: `[[stages.NAME.buckets]]`.

use std::collections::BTreeMap;

use super::parsed::FileBucket;
use super::reader::Reader;
use crate::config::layer::Item;
use crate::config::origin::Origin;
use crate::config::problem::{Expected, Problem, refused};
use crate::config::schema::Kind;
use crate::config::toml_tree::{TomlEntry, TomlNode, TomlValue};

const BUCKETS: Expected =
    Expected { what: "a list of tables", example: "[[stages.NAME.buckets]], and url below it" };

/// The keys of a bucket's table.
const KEYS: [&str; 6] = ["url", "endpoint", "region", "addressing", "encoding", "assets"];

const HINT: &str =
    "a bucket has url, endpoint, region, addressing, encoding, headers and assets (a set's name)";

impl Reader {
    pub(super) fn buckets(&mut self, stage: &str, node: &TomlNode) -> Vec<FileBucket> {
        let TomlValue::List(nodes) = &node.content else {
            self.wrong_type(&format!("stages.{stage}.buckets"), BUCKETS, node);
            return Vec::new();
        };
        nodes.iter().filter_map(|node| self.bucket(stage, node)).collect()
    }

    fn bucket(&mut self, stage: &str, node: &TomlNode) -> Option<FileBucket> {
        let name = format!("stages.{stage}.buckets");
        let mut bucket =
            FileBucket { span: self.span(&node.span), texts: BTreeMap::new(), headers: Vec::new() };
        for entry in self.table(&name, node)? {
            match entry.key.as_str() {
                "headers" => self.headers(&name, &mut bucket, entry),
                key => match KEYS.into_iter().find(|known| *known == key) {
                    Some(known) => {
                        let text = self.bucket_text(&format!("{name}.{key}"), &entry.node);
                        bucket.texts.extend(text.map(|text| (known, text)));
                    }
                    None => {
                        let problem = refused(&format!("{name}.{key}"), "is not a setting", HINT);
                        self.problem(&entry.key_span, problem);
                    }
                },
            }
        }
        if !bucket.texts.contains_key("url") {
            let example = "url = \"s3://my-bucket/assets\"";
            let problem =
                Problem::Missing { key: format!("{name}.url"), scope: String::new(), example };
            self.problem(&node.span, problem);
            return None;
        }
        Some(bucket)
    }

    fn headers(&mut self, name: &str, bucket: &mut FileBucket, entry: &TomlEntry) {
        let TomlValue::List(nodes) = &entry.node.content else {
            self.wrong_type(&format!("{name}.headers"), BUCKETS, &entry.node);
            return;
        };
        for node in nodes {
            bucket.headers.extend(self.bucket_text(&format!("{name}.headers"), node));
        }
    }

    fn bucket_text(&mut self, key: &str, node: &TomlNode) -> Option<Item> {
        let setting_value = self.checked(Kind::Text, key, node)?;
        Some(Item { setting_value, origin: Origin::Given(self.span(&node.span)) })
    }
}
