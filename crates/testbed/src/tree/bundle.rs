//! Output like a bundler's: files whose names contain digests of their content, and whose content
//! contains each other's names.

use fastrand::Rng;

use super::value::{Entry, Tree};

/// How a tool puts the fingerprint into a name.
#[derive(Debug, Clone, Copy)]
enum Style {
    /// `app-DkX3_a9b.js`: eight characters of URL-safe base 64.
    Vite,
    /// `app-3f2a91c0.js`: eight hexadecimal digits.
    Propshaft,
    /// `app-` and the 64 digits of a SHA-256, with a manifest that names them all.
    Sprockets,
    /// `app.3f2a91c03f2a91c03f2a.chunk.js`.
    Webpack,
}

const STYLES: [Style; 4] = [Style::Vite, Style::Propshaft, Style::Sprockets, Style::Webpack];

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The sources of a bundle. Compiling the same sources gives the same files.
#[derive(Debug, Clone)]
pub(super) struct Bundle {
    style: Style,
    dir: &'static str,
    mtime: (i64, u32),
    assets: Vec<Asset>,
}

#[derive(Debug, Clone)]
struct Asset {
    stem: String,
    extension: &'static str,
    body: String,
    /// Assets that this one names, all of them after it, so that no fingerprint depends on itself.
    names: Vec<usize>,
}

impl Bundle {
    /// A bundle of two to eight assets.
    pub(super) fn random(rng: &mut Rng) -> Self {
        let count = rng.usize(2..=8);
        Self {
            style: STYLES[rng.usize(..STYLES.len())],
            dir: ["", "assets/", "build/js/"][rng.usize(..3)],
            mtime: (1_700_000_000 + i64::from(rng.u32(..10_000_000)), rng.u32(..1_000_000_000)),
            assets: (0..count).map(|index| Asset::random(rng, index, count)).collect(),
        }
    }

    /// Changes the source of an asset or two; the next compile may keep the clock, as one in a
    /// reproducible build does.
    pub(super) fn edit(&mut self, rng: &mut Rng) {
        for _ in 0..rng.usize(1..=2) {
            let asset = rng.usize(..self.assets.len());
            let line = rng.u32(..);
            self.assets[asset].body.push_str(&format!("\nlet edited={line};"));
        }
        if rng.bool() {
            self.mtime.0 += 3_600;
        }
    }

    /// Compiles the bundle into `tree`.
    pub(super) fn compile(&self, tree: &mut Tree) {
        let mut names = vec![String::new(); self.assets.len()];
        for (index, asset) in self.assets.iter().enumerate().rev() {
            let text = asset.text(&names);
            names[index] = self.name(asset, &text);
            self.put(tree, &names[index], text);
        }
        self.put_entry_points(tree, &names);
    }

    /// The files with constant names that lead to all others.
    fn put_entry_points(&self, tree: &mut Tree, names: &[String]) {
        let tags =
            names.iter().map(|name| format!("<script src=\"/{}{name}\"></script>\n", self.dir));
        self.put(tree, "index.html", tags.collect());
        if matches!(self.style, Style::Sprockets) {
            let lines = names.iter().map(|name| format!("\"{name}\":{{}}"));
            let manifest = format!("{{\"files\":{{{}}}}}", lines.collect::<Vec<_>>().join(","));
            let digest = &digits(&manifest)[..32];
            self.put(tree, &format!(".sprockets-manifest-{digest}.json"), manifest);
        }
    }

    fn put(&self, tree: &mut Tree, name: &str, text: String) {
        let path = format!("{}{name}", self.dir);
        let entry = Entry::File { bytes: text.into_bytes(), mode: 0o644, mtime: self.mtime };
        tree.insert(path.as_bytes(), entry);
    }

    fn name(&self, asset: &Asset, text: &str) -> String {
        let (stem, extension, digits) = (&asset.stem, asset.extension, digits(text));
        match self.style {
            Style::Vite => format!("{stem}-{}.{extension}", base64_of(text)),
            Style::Propshaft => format!("{stem}-{}.{extension}", &digits[..8]),
            Style::Sprockets => format!("{stem}-{digits}.{extension}"),
            Style::Webpack => format!("{stem}.{}.chunk.{extension}", &digits[..20]),
        }
    }
}

impl Asset {
    fn random(rng: &mut Rng, index: usize, count: usize) -> Self {
        let words = rng.usize(1..=400);
        let body = (0..words).map(|_| format!("let v{}={};", rng.u8(..), rng.u16(..))).collect();
        Self {
            stem: format!("{}{index}", ["app", "vendor", "page"][rng.usize(..3)]),
            extension: ["js", "css"][rng.usize(..2)],
            body,
            names: (index + 1..count).filter(|_| rng.bool()).collect(),
        }
    }

    /// The content, with the names of other assets in it.
    fn text(&self, names: &[String]) -> String {
        let imports = self.names.iter().map(|&other| format!("import \"./{}\";\n", names[other]));
        imports.chain([self.body.clone()]).collect()
    }
}

/// 64 hexadecimal digits of `text`.
fn digits(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex().to_string()
}

/// Eight characters of base 64 of `text`.
fn base64_of(text: &str) -> String {
    let hash = blake3::hash(text.as_bytes());
    hash.as_bytes()[..8].iter().map(|byte| char::from(BASE64[usize::from(byte % 64)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_renames_the_edited_and_all_that_name_it() {
        for seed in 0..40 {
            let mut rng = Rng::with_seed(seed);
            let mut bundle = Bundle::random(&mut rng);
            let (mut old, mut new) = (Tree::default(), Tree::default());
            bundle.compile(&mut old);
            bundle.edit(&mut rng);
            bundle.compile(&mut new);
            let paths =
                |tree: &Tree| tree.iter().map(|(path, _)| path.to_vec()).collect::<Vec<_>>();
            assert_eq!(old.len(), new.len());
            assert_ne!(paths(&old), paths(&new));
        }
    }
}
