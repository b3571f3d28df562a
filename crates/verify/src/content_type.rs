//! The content types that browsers insist on.

/// Whether browsers use a file of this name if it is answered with this content type. Scripts,
/// style sheets, pages, images of SVG and WebAssembly need one of their own; all else is taken as
/// it is.
pub(crate) fn is_fine(path: &[u8], content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let extension = path.rsplit(|&byte| byte == b'.').next().unwrap_or_default();
    match extension.to_ascii_lowercase().as_slice() {
        b"js" | b"mjs" => matches!(
            essence.as_str(),
            "text/javascript" | "application/javascript" | "application/x-javascript"
        ),
        b"css" => essence == "text/css",
        b"html" | b"htm" => matches!(essence.as_str(), "text/html" | "application/xhtml+xml"),
        b"svg" => essence == "image/svg+xml",
        b"wasm" => essence == "application/wasm",
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_by_names() {
        for (path, fine) in [
            ("app-3f2a.js", "text/javascript; charset=utf-8"),
            ("app.mjs", "Application/JavaScript"),
            ("a/app.CSS", "text/css"),
            ("index.html", "text/html;charset=UTF-8"),
            ("logo.svg", "image/svg+xml"),
            ("x.wasm", "application/wasm"),
            ("x.woff2", "application/octet-stream"),
            ("LICENSE", ""),
        ] {
            assert!(is_fine(path.as_bytes(), fine), "{path} {fine}");
        }
        for (path, wrong) in [
            ("app.js", "text/plain"),
            ("app.css", "text/html"),
            ("app.js", ""),
            ("x.svg", "text/xml"),
        ] {
            assert!(!is_fine(path.as_bytes(), wrong), "{path} {wrong}");
        }
    }
}
