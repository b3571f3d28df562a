//! Two builds of a site, from a formula.

use assetsync_testbed::tree::{Entry, Tree};

/// The files of a build that name its others.
pub const ENTRY_POINTS: [&str; 2] = ["index.html", "manifest.json"];

/// A build of a site. It has what a push can meet: files that stay, change, move, appear and go,
/// large and small, compressible and not, names with fingerprints and without, directories, links,
/// changed kinds.
pub fn build(revision: u32) -> Tree {
    let mut tree = Tree::default();
    let mut named = Vec::new();
    let mut asset = |tree: &mut Tree, stem: &str, extension: &str, bytes: Vec<u8>| {
        let path = format!("assets/{stem}-{}.{extension}", fingerprint(&bytes));
        put(tree, &path, bytes);
        named.push(path);
    };
    for number in 0..10 {
        asset(&mut tree, &format!("vendor{number}"), "js", text(number, 1000 + number * 700));
    }
    for number in 0..8_u32 {
        let mut bytes = text(100 + number, 4000 + number * 15_000);
        let place = bytes.len() / 2;
        bytes.splice(place..place + 5, format!("<{revision}>").into_bytes());
        asset(&mut tree, &format!("app{number}"), "js", bytes);
    }
    for number in 0..4 {
        let bytes = noise(revision * 10 + number, 20_000 + number * 30_000);
        asset(&mut tree, &format!("logo{number}"), ["png", "bin"][number as usize % 2], bytes);
    }
    let copied = noise(7, 5000);
    asset(&mut tree, &format!("moved{revision}"), "woff2", copied);
    let twice = noise(revision + 1000, 3000);
    asset(&mut tree, "twice", "js", twice.clone());
    asset(&mut tree, "twice-again", "js", twice);
    let mut style = text(500, 40_000);
    style.extend(format!(".revision{revision} {{}}\n").bytes());
    put(&mut tree, "style.css", style);
    put(&mut tree, &format!("only-{revision}/deep/er/file.txt"), text(revision, 50));
    tree.insert(format!("only-{revision}/empty").as_bytes(), Entry::Dir { mode: 0o750 });
    tree.insert(b"current", Entry::Symlink { target: format!("only-{revision}").into_bytes() });
    let (bytes, mtime) = (text(9, 300), (1_700_000_000 + i64::from(revision), 5));
    tree.insert(b"touched.txt", Entry::File { bytes, mode: 0o644, mtime });
    let (file, dir) = if revision.is_multiple_of(2) { ("a", "b") } else { ("b", "a") };
    put(&mut tree, &format!("kind-{file}"), text(1, 100));
    put(&mut tree, &format!("kind-{dir}/below"), text(2, 100));
    let list = named.join("\n") + "\n";
    put(&mut tree, "index.html", format!("<html>{revision}\n{list}</html>\n").into_bytes());
    put(&mut tree, "manifest.json", format!("{{{revision}\n{list}}}\n").into_bytes());
    tree
}

fn put(tree: &mut Tree, path: &str, bytes: Vec<u8>) {
    let mtime = (1_700_000_000 + i64::from(fnv(&bytes) as u32 % 1000), 7);
    tree.insert(path.as_bytes(), Entry::File { bytes, mode: 0o644, mtime });
}

/// Eight hexadecimal digits of content.
pub fn fingerprint(bytes: &[u8]) -> String {
    format!("{:08x}", (fnv(bytes) >> 32) as u32)
}

fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Bytes that do not compress.
pub fn noise(seed: u32, length: u32) -> Vec<u8> {
    let mut state = u64::from(seed) * 2 + 1;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..length).map(|_| next()).collect()
}

/// Bytes that do.
fn text(seed: u32, length: u32) -> Vec<u8> {
    noise(seed, length).iter().map(|byte| b"abcdefgh (){};=\n"[usize::from(byte % 16)]).collect()
}
