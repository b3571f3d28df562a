//! Which files are compressed already, told by their names.

/// Extensions whose content does not shrink again, in lower case and sorted. `woff` is not one: it
/// is compressed table by table, and shrinks by an eighth.
const COMPRESSED: &[&str] = &[
    "7z", "aac", "avif", "br", "bz2", "docx", "flac", "gif", "gz", "heic", "heif", "jar", "jpeg",
    "jpg", "jxl", "lz4", "lzma", "m4a", "m4v", "mkv", "mov", "mp3", "mp4", "oga", "ogg", "ogv",
    "opus", "pbf", "png", "pptx", "rar", "tgz", "txz", "vsix", "weba", "webm", "webp", "whl",
    "woff2", "xlsx", "xz", "zip", "zst", "zstd",
];

/// Whether the path's extension says that its content is compressed already, in any case of
/// letters.
///
/// It is a guess about worth, never about meaning: a wrong one costs some bytes or some time.
pub fn is_precompressed(path: &[u8]) -> bool {
    let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or(path);
    let Some(dot) = name.iter().rposition(|&byte| byte == b'.') else { return false };
    let extension = name[dot + 1..].to_ascii_lowercase();
    COMPRESSED.binary_search_by(|known| known.as_bytes().cmp(&extension)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted() {
        assert!(COMPRESSED.is_sorted());
    }

    #[test]
    fn table() {
        let table = [
            ("app.js.gz", true),
            ("a/b.PNG", true),
            ("font-3f2a91c0.woff2", true),
            ("app.js", false),
            ("font.woff", false),
            ("logo.svg", false),
            ("app.wasm", false),
            ("dir.png/file", false),
            ("png", false),
            ("", false),
        ];
        for (path, expected) in table {
            assert_eq!(is_precompressed(path.as_bytes()), expected, "{path}");
        }
    }
}
