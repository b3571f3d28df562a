//! Parts of pages that are written by tasks, between two lines that say so.

use std::fs;

use crate::error::{Error, ErrorContext, Result};
use crate::repository::root;

/// A part of a page.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Section {
    /// The page, relative to the repository.
    pub page: &'static str,
    /// Its name in the lines around it.
    pub name: &'static str,
    /// The command that writes it.
    pub script: &'static str,
}

impl Section {
    /// `page` with this content between the two lines.
    pub(crate) fn replace(self, page: &str, content: &str) -> Result<String> {
        let Section { name, script, .. } = self;
        let begin = format!("<!-- {name}: begin; {script} writes this -->");
        let end = format!("<!-- {name}: end -->");
        let lacks = || Error::NoTable(self.page, script);
        let (before, rest) = page.split_once(&begin).ok_or_else(lacks)?;
        let (_, after) = rest.split_once(&end).ok_or_else(lacks)?;
        Ok(format!("{before}{begin}\n\n{content}\n{end}{after}"))
    }

    /// Writes this content into the page.
    pub(crate) fn write(self, content: &str) -> Result<()> {
        let path = root().join(self.page);
        let page = fs::read_to_string(&path).doing("read", &path)?;
        fs::write(&path, self.replace(&page, content)?).doing("write", &path)
    }

    /// Whether the page has this content.
    #[cfg(test)]
    pub(crate) fn is_written(self, content: &str) -> bool {
        let page = fs::read_to_string(root().join(self.page)).unwrap();
        self.replace(&page, content).unwrap() == page
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECTION: Section = Section { page: "A.md", name: "a", script: "scripts/a" };
    const BEGIN: &str = "<!-- a: begin; scripts/a writes this -->";
    const END: &str = "<!-- a: end -->";

    #[test]
    fn the_content_between_the_lines_is_replaced() {
        let page = format!("# A\n\n{BEGIN}\nold\n{END}\n\nmore\n");
        let written = SECTION.replace(&page, "new\n").unwrap();
        assert_eq!(written, format!("# A\n\n{BEGIN}\n\nnew\n\n{END}\n\nmore\n"));
        assert_eq!(SECTION.replace(&written, "new\n").unwrap(), written);
    }

    #[test]
    fn a_page_without_the_lines_is_refused() {
        for page in ["", BEGIN, &format!("{END}\n{BEGIN}")] {
            let refused = SECTION.replace(page, "new\n");
            assert!(matches!(refused, Err(Error::NoTable("A.md", "scripts/a"))), "{page}");
        }
    }
}
