//! What servers say in XML.

use roxmltree::{Document, Node, ParsingOptions};

/// The most nodes of a document: a page of a list has ten for each of its 1000 objects.
const NODES: u32 = 200_000;

/// An object of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The key.
    pub key: String,
    /// Bytes of content.
    pub size: u64,
    /// The ETag, without quotes.
    pub etag: String,
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// The objects.
    pub objects: Vec<Listed>,
    /// What to ask the next page with, if there is one.
    pub next: Option<String>,
}

fn document(text: &[u8]) -> Option<Document<'_>> {
    let options = ParsingOptions { nodes_limit: NODES, ..ParsingOptions::default() };
    Document::parse_with_options(std::str::from_utf8(text).ok()?, options).ok()
}

/// The text of the first element of this name below a node.
fn text<'d>(node: Node<'d, '_>, name: &str) -> Option<&'d str> {
    let found = node.descendants().find(|below| below.tag_name().name() == name)?;
    Some(found.text().unwrap_or_default())
}

/// Code and message, if the document is an error.
pub fn error(body: &[u8]) -> Option<(String, String)> {
    // Answers are XML or empty, but for the contents of objects: those are not read as XML.
    let start = body.iter().position(|byte| !byte.is_ascii_whitespace())?;
    let head = &body[start..];
    if !head.starts_with(b"<?xml") && !head.starts_with(b"<Error") {
        return None;
    }
    let document = document(body)?;
    let root = document.root_element();
    let is_error = root.tag_name().name() == "Error" || root.tag_name().name() == "ErrorResponse";
    let part = |name| text(root, name).unwrap_or_default().to_owned();
    is_error.then(|| (part("Code"), part("Message")))
}

/// The text of the first element of this name.
pub fn value(body: &[u8], name: &str) -> Option<String> {
    let document = document(body)?;
    text(document.root_element(), name).map(str::to_owned)
}

/// A page of a list whose keys are encoded as in URLs.
pub fn page(body: &[u8]) -> Option<Page> {
    let document = document(body)?;
    let root = document.root_element();
    let mut page = Page::default();
    for node in root.children().filter(|node| node.tag_name().name() == "Contents") {
        let key = percent_encoding::percent_decode_str(&text(node, "Key")?.replace('+', " "))
            .decode_utf8()
            .ok()?
            .into_owned();
        let size = text(node, "Size")?.parse().ok()?;
        let etag = unquoted(text(node, "ETag").unwrap_or_default());
        page.objects.push(Listed { key, size, etag });
    }
    if text(root, "IsTruncated") == Some("true") {
        page.next = Some(text(root, "NextContinuationToken")?.to_owned());
    }
    Some(page)
}

/// The objects that could not be deleted, each with the reason.
pub fn undeleted(body: &[u8]) -> Option<Vec<(String, String)>> {
    let document = document(body)?;
    let root = document.root_element();
    let errors = root.children().filter(|node| node.tag_name().name() == "Error");
    let part = |node, name| text(node, name).unwrap_or_default().to_owned();
    Some(errors.map(|node| (part(node, "Key"), part(node, "Message"))).collect())
}

/// An ETag without its quotes.
pub fn unquoted(etag: &str) -> String {
    etag.trim_matches('"').to_owned()
}

/// A text with what XML gives a meaning escaped; control characters as references.
pub fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            control if control.is_control() => {
                escaped.push_str(&format!("&#{};", u32::from(control)));
            }
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_a_list() {
        let text = br#"<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/">
            <IsTruncated>true</IsTruncated><NextContinuationToken>abc</NextContinuationToken>
            <Contents><Key>a%20b/%C3%BC+%2B</Key><Size>3</Size><ETag>&quot;0f&quot;</ETag></Contents>
            </ListBucketResult>"#;
        let object = Listed { key: "a b/\u{fc} +".to_owned(), size: 3, etag: "0f".to_owned() };
        let expected = Page { objects: vec![object], next: Some("abc".to_owned()) };
        assert_eq!(page(text), Some(expected));
        assert_eq!(page(b"<ListBucketResult/>"), Some(Page::default()));
        for bad in [&b""[..], b"<a>", b"<a><Contents><Key>x</Key></Contents></a>", b"\xff"] {
            assert_eq!(page(bad), None);
        }
    }

    #[test]
    fn errors() {
        let text =
            b"<?xml version='1.0'?>\n<Error><Code>NoSuchKey</Code><Message>m</Message></Error>";
        assert_eq!(error(text), Some(("NoSuchKey".to_owned(), "m".to_owned())));
        for none in [&b""[..], b"var a = 1", b"<?xml version='1.0'?><CopyObjectResult/>"] {
            assert_eq!(error(none), None);
        }
        let some = b"<DeleteResult><Deleted><Key>a</Key></Deleted><Error><Key>b</Key><Message>no\
            </Message></Error></DeleteResult>";
        assert_eq!(undeleted(some), Some(vec![("b".to_owned(), "no".to_owned())]));
    }

    #[test]
    fn entities_do_not_grow() {
        let mut text = "<!DOCTYPE a [<!ENTITY x0 'lol'>".to_owned();
        for level in 1..30 {
            text += &format!("<!ENTITY x{level} '&x{0};&x{0};'>", level - 1);
        }
        text += "]><Error><Code>&x29;</Code></Error>";
        assert_eq!(value(text.as_bytes(), "Code"), None);
    }
}
