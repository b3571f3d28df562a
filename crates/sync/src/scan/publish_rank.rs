//! When a file is published, by its name.
//!
//! No tool is known here. A name with a fingerprint is found in another file, and that one is
//! found by a name that stays: so fingerprinted files come first. Of the names that stay, scripts,
//! styles, images and the like are parts of pages. Whatever else has a name that stays is a page,
//! in whatever language, or it lists files for a server, a script or a browser.

use assetsync_core::plan::PublishRank;

use super::entry_points::without_compression;
use super::logical_name::{FingerprintRules, LogicalName};

const SCRIPTS: &[&str] = &["cjs", "js", "mjs"];

/// What is found in lists by its extension, and under a new name after each build.
const LISTS: &[&str] = &["json", "yaml", "yml"];

const PAGES: &[&str] = &["htm", "html", "php", "xhtml"];

/// Kinds of files that pages are made of, besides scripts.
const PARTS: &[&str] = &[
    "aac", "apng", "avif", "bin", "bmp", "css", "cur", "data", "eot", "flac", "gif", "glb", "gltf",
    "heic", "ico", "jpeg", "jpg", "jxl", "ktx2", "less", "m4a", "m4v", "map", "mov", "mp3", "mp4",
    "mpeg", "oga", "ogg", "ogv", "opus", "otf", "pdf", "png", "sass", "scss", "svg", "tif", "tiff",
    "ts", "tsx", "ttf", "vtt", "wasm", "wav", "weba", "webm", "webp", "woff", "woff2", "zip",
];

/// Words in the name of a script that names other files although none has a fingerprint.
const LISTING: &[&str] = &["entry", "entrypoint", "entrypoints", "importmap", "manifest"];

/// The rank of a file whose path is relative to the root.
pub fn of(path: &[u8], rules: &FingerprintRules) -> PublishRank {
    let path = without_compression(path);
    let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or(path);
    let text = String::from_utf8_lossy(name);
    // In a hidden name the first dot begins no extension.
    let (stem, extension) = match text.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() => (stem, extension.to_ascii_lowercase()),
        _ => (&*text, String::new()),
    };
    let (words, is) = (words(stem), |kinds: &[&str]| kinds.contains(&&*extension));
    if LogicalName::of(path, rules).is_some() {
        // Sprockets finds its manifest by a pattern.
        let is_found = is(PAGES) || (is(LISTS) && words.iter().any(|word| word == "manifest"));
        return if is_found { PublishRank::Naming } else { PublishRank::Fingerprinted };
    }
    match is(SCRIPTS) {
        _ if (is(SCRIPTS) || is(LISTS)) && is_service_worker(&words) => PublishRank::ServiceWorker,
        true if words.iter().any(|word| LISTING.contains(&&**word)) => PublishRank::Naming,
        true => PublishRank::Ordinary,
        false if is(PARTS) => PublishRank::Ordinary,
        false => PublishRank::Naming,
    }
}

/// Whether these words name a service worker, or what one (Angular's) reads first. A script that
/// registers it is part of a page, and Workbox's libraries are parts of the worker.
fn is_service_worker(words: &[String]) -> bool {
    let is_about = words.iter().any(|word| word.starts_with("regist") || word == "workbox");
    let named = |word: &String| matches!(&**word, "sw" | "ngsw" | "serviceworker");
    let in_two = |pair: &[String]| pair[0] == "service" && pair[1] == "worker";
    !is_about && (words.iter().any(named) || words.windows(2).any(in_two))
}

/// The words of a stem, in small letters; capitals begin a word after a small letter.
fn words(stem: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut after_small = false;
    for letter in stem.chars() {
        let is_part = letter.is_alphanumeric();
        if !is_part || (after_small && letter.is_uppercase()) {
            words.push(String::new());
        }
        if let (true, Some(word)) = (is_part, words.last_mut()) {
            word.extend(letter.to_lowercase());
        }
        after_small = letter.is_lowercase();
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(rank: PublishRank, paths: &[&str]) {
        let rules = FingerprintRules::default();
        for path in paths {
            assert_eq!(of(path.as_bytes(), &rules), rank, "{path}");
        }
    }

    #[test]
    fn names_with_a_fingerprint() {
        let paths = [
            "assets/app-3f2a91c0.js",
            "static/js/main.0123456789abcdef.chunk.js.map",
            "assets/index-CAe6cnmm.css.br",
            "workbox-3f2a91c0.js",
            "locales/de-3f2a91c0.json",
            "precache-manifest.0123456789abcdef0123456789abcdef.js",
        ];
        check(PublishRank::Fingerprinted, &paths);
    }

    #[test]
    fn other_parts_of_pages() {
        let paths = [
            "js/app.js",
            "favicon.ico",
            "css/style.css.gz",
            "pdf.worker.min.mjs",
            "registerSW.js",
            "service-worker-registration.js",
            "workbox-v6/workbox-sw.js",
            "sw.js.map",
            "swiper.js",
            "Logo.PNG",
            ".hidden.png",
        ];
        check(PublishRank::Ordinary, &paths);
    }

    #[test]
    fn pages_and_lists_of_whatever_tool() {
        let paths = [
            "index.html",
            "docs/404.htm.br",
            "index.php",
            "about.jsp",
            "about",
            "partials/list-3f2a91c0.html",
            ".sprockets-manifest-0123456789abcdef0123456789abcdef.json",
            "manifest-0123456789abcdef0123456789abcdef.json.gz",
            ".manifest.json",
            ".vite/manifest.json",
            "mix-manifest.json",
            "asset-manifest.json",
            "entrypoints.json",
            "importmap.json",
            "app.webmanifest",
            "remoteEntry.js",
            "js/manifest.js",
            "assets.lock",
            "next-tool.toml",
            ".htaccess",
            "_redirects",
            "index.txt",
            "_app/version.json",
            "feed.xml",
        ];
        check(PublishRank::Naming, &paths);
    }

    #[test]
    fn service_workers() {
        let paths = [
            "sw.js",
            "app/service_worker.js.zst",
            "service-worker.js",
            "serviceWorker.mjs",
            "serviceworker.js",
            "firebase-messaging-sw.js",
            "ngsw.json",
            "ngsw-worker.js",
        ];
        check(PublishRank::ServiceWorker, &paths);
    }

    #[test]
    fn own_rules_of_fingerprints_count() {
        let rules = FingerprintRules::try_from(&[r"_v(\d+)\.".to_owned()][..]).expect("a rule");
        assert_eq!(of(b"app_v12.js", &rules), PublishRank::Fingerprinted);
        assert_eq!(of(b"data_v12.json", &rules), PublishRank::Fingerprinted);
    }
}
